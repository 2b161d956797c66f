"""Defines faults and their catalogue."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.faults.rig import TARGET, FaultRig
from bench.measuring.rows import Row, up


class Observation:
    """When a fault was noticed, in seconds after its injection, and a remark for the report."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seen: float | None = None
        self.remark = ""

    def noticed(self, at: float | None = None) -> None:
        """Record that the fault was detected, now or at that time (CLOCK_MONOTONIC)."""
        self.seen = (at or time.monotonic()) - self.began

    @property
    def passed(self) -> float:
        """The seconds since the injection."""
        return time.monotonic() - self.began


Injection = Callable[[FaultRig, Observation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``inject`` returns after recovery, and raises if there is none.

    ``shared``: it hits what all accounts share, so their messages wait while it lasts.
    ``last``: it ends every process, so nothing can be compared with what was before.
    ``keeps`` is how many files stay open for a reason that its remark gives.
    """

    name: str
    injected: str
    inject: Injection
    shared: bool = False
    last: bool = False
    keeps: int = 0


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, injected: str, *, shared: bool = False, last: bool = False, keeps: int = 0
) -> Callable[[Injection], Injection]:
    """Register a coroutine in the catalogue."""

    def enter(inject: Injection) -> Injection:
        FAULTS[name] = Fault(name, injected, inject, shared, last, keeps)
        return inject

    return enter


def unwell(row: Row) -> bool:
    """Return whether the supervisor has detected a fault."""
    return (row["phase"], row["health"]) != ("running", "ok")


async def recovers(rig: FaultRig, observed: Observation, before: int) -> None:
    """Wait until the fault of the target is detected, and then until its replacement runs."""
    observed.noticed(
        await rig.rows.until(TARGET, lambda row: unwell(row) or row["incarnation"] > before)
    )
    await rig.rows.until(TARGET, up(after=before))


async def replace_target(rig: FaultRig, observed: Observation) -> None:
    """Restart the target as an operator would."""
    before = rig.incarnation()
    await rig.call("restart")
    await rig.rows.until(TARGET, up(after=before))


def left_alone(rig: FaultRig, before: int) -> None:
    """Check that the target was left alone."""
    if rig.incarnation() != before:
        raise RuntimeError("the account was restarted, and should have been left alone")
