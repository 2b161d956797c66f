"""Holds figures for Prometheus as plain data, and writes them as text. Pure.

The supervisor serves no HTTP: its figures reach ``/metrics`` through its reports, and while
the gateway is down the command line prints the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from ipc.frames.status import RESTART_REASONS, AccountStatus
from ipc.frames.words import Phase

PREFIX = "trunkline_"


class Series(msgspec.Struct, frozen=True):
    """One figure; the name of a counter gets its ``_total`` where it is written.

    ``samples`` are pairs of labels and value.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[dict[str, str], float]]


def counter(name: str, help: str, value: float) -> Series:
    """Return a figure that only grows."""
    return Series(PREFIX + name, "counter", help, [({}, float(value))])


def gauge(name: str, help: str, value: float) -> Series:
    """Return a figure that goes up and down."""
    return Series(PREFIX + name, "gauge", help, [({}, float(value))])


def of_accounts(rows: Iterable[AccountStatus], now: float) -> list[Series]:
    """Return the figures of every account; ``now`` is epoch seconds."""
    known = list(rows)

    def each(
        kind: Literal["counter", "gauge"],
        name: str,
        help: str,
        value: Callable[[AccountStatus], float | None],
    ) -> Series:
        found = [({"account": row.account}, value(row)) for row in known]
        samples = [(labels, float(one)) for labels, one in found if one is not None]
        return Series(f"{PREFIX}account_{name}", kind, help, samples)

    def wait(row: AccountStatus) -> float | None:
        return None if row.next_try_at is None else max(0.0, row.next_try_at / 1000 - now)

    def lag(row: AccountStatus) -> float | None:
        return None if row.loop_lag_ms is None else row.loop_lag_ms / 1000

    return [
        each("gauge", "up", "1 while the account is running.", _is_running),
        each("gauge", "failed", "1 while a person is needed.", _is_failed),
        each("gauge", "backoff_seconds", "Seconds to the next try.", wait),
        each("gauge", "loop_lag_seconds", "Lag of the worker's loop.", lag),
        _restarts(known),
        each("gauge", "failures", "Failures in a row.", lambda row: row.failures),
        each("gauge", "rss_bytes", "Resident memory of the worker.", lambda row: row.rss_bytes),
        each("gauge", "media_bytes", "Space of its files.", lambda row: row.media_bytes),
        each("counter", "log_dropped", "Lines of output not kept.", lambda row: row.log_dropped),
        each(
            "counter",
            "possibly_lost",
            "Messages that may be lost, at most.",
            lambda row: row.possibly_lost,
        ),
    ]


def _is_failed(row: AccountStatus) -> float:
    return float(row.phase == Phase.FAILED)


def _is_running(row: AccountStatus) -> float:
    return float(row.phase == Phase.RUNNING)


def _restarts(rows: Iterable[AccountStatus]) -> Series:
    """Return the restarts of every account by reason, those that never happened too."""
    samples = [
        ({"account": row.account, "reason": reason}, float(row.restart_reasons.get(reason, 0)))
        for row in rows
        for reason in RESTART_REASONS
    ]
    meaning = "Starts that no orderly stop came before, by reason."
    return Series(f"{PREFIX}account_restarts", "counter", meaning, samples)


def text(series: Iterable[Series]) -> str:
    """Return the text format of Prometheus, version 0.0.4."""
    lines = []
    for one in series:
        name = one.name + ("_total" if one.kind == "counter" else "")
        lines += [f"# HELP {name} {one.help}", f"# TYPE {name} {one.kind}"]
        lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in one.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
