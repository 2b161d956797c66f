"""Interleaves variants: each is run once per round, so that noise affects all alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bench.measuring.figures import Spread, paired, short
from bench.measuring.windows import Window
from bench.systems.system import System

Case = str
Measured = dict[Case, dict[str, list[Window]]]  # case → system → one window per round


@asynccontextmanager
async def running(systems: Sequence[System]) -> AsyncIterator[Sequence[System]]:
    """Start all systems; each is idle while another is measured."""
    async with AsyncExitStack() as stack:
        for system in systems:
            await system.start()
            stack.push_async_callback(system.stop)
        yield systems


async def interleaved(
    systems: Sequence[System],
    cases: Sequence[Case],
    rounds: int,
    measure: Callable[[System, Case], Awaitable[Window]],
) -> Measured:
    """Measure every system in every case, ``rounds`` times."""
    found: Measured = {case: {system.name: [] for system in systems} for case in cases}
    for _ in range(rounds):
        for case in cases:
            for system in systems:
                found[case][system.name].append(await measure(system, case))
    return found


def plain(measured: Measured) -> dict[str, Any]:
    """Return the measurements as plain data: every round of every figure."""
    return {
        case: {
            name: {
                "rate": [window.rate for window in windows],
                "cpuUs": {
                    group: [window.cpu_us[group] for window in windows]
                    for group in windows[0].cpu_us
                },
                **{
                    f"{share}Ms": [window.latency(share) for window in windows]
                    for share in ("p50", "p99", "p999")
                },
            }
            for name, windows in systems.items()
        }
        for case, systems in measured.items()
    }


def ratio(found: dict[str, Any], ours: str, theirs: str, figure: str = "rate") -> Spread | None:
    """Return the paired ratio of a figure of one case; ``None`` if one was not measured."""
    if ours not in found or theirs not in found:
        return None
    return paired(_series(found[ours], figure), _series(found[theirs], figure))


def median(found: dict[str, Any], figure: str) -> float:
    """Return the median over the rounds; ``figure`` may be ``cpuUs.gateway``."""
    return Spread.of(_series(found, figure)).median


def _series(found: dict[str, Any], figure: str) -> list[float]:
    values: Any = found
    for word in figure.split("."):
        values = values[word]
    return list(values)


def times(value: Spread | None) -> str:
    """Write a ratio with its spread."""
    return (
        "–" if value is None else f"{short(value.median)}× ({short(value.low)}–{short(value.high)})"
    )
