"""Holds figures for Prometheus as plain data, and writes them as text. Pure.

The supervisor serves no HTTP: its figures reach ``/metrics`` through its reports, and while
the gateway is down the command line prints the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import msgspec

from ipc.frames.status import RESTART_REASONS, AccountStatus
from ipc.frames.words import Phase

PREFIX = "trunkline_"
Word = Literal["account", "agent"]


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
    each = partial(_each, known, "account")
    return [
        *_of_workers(known, "account", now),
        each("gauge", "failures", "Failures in a row.", lambda row: row.failures),
        each("gauge", "media_bytes", "Space of its files.", lambda row: row.media_bytes),
        each("counter", "log_dropped", "Lines of output not kept.", lambda row: row.log_dropped),
        each(
            "counter",
            "possibly_lost",
            "Messages that may be lost, at most.",
            lambda row: row.possibly_lost,
        ),
    ]


def of_agents(rows: Iterable[AccountStatus], now: float) -> list[Series]:
    """Return the figures of every agent; ``now`` is epoch seconds."""
    return _of_workers(list(rows), "agent", now)


def _of_workers(rows: list[AccountStatus], what: Word, now: float) -> list[Series]:
    """Return the figures that accounts and agents have; ``what`` of both they are."""

    def wait(row: AccountStatus) -> float | None:
        return None if row.next_try_at is None else max(0.0, row.next_try_at / 1000 - now)

    def lag(row: AccountStatus) -> float | None:
        return None if row.loop_lag_ms is None else row.loop_lag_ms / 1000

    each = partial(_each, rows, what)
    return [
        each("gauge", "up", f"1 while the {what} is running.", _is_running),
        each("gauge", "failed", "1 while a person is needed.", _is_failed),
        each("gauge", "backoff_seconds", "Seconds to the next try.", wait),
        each("gauge", "loop_lag_seconds", "Lag of the worker's loop.", lag),
        _restarts(rows, what),
        each("gauge", "rss_bytes", "Resident memory of the worker.", lambda row: row.rss_bytes),
    ]


def _each(
    rows: list[AccountStatus],
    what: Word,
    kind: Literal["counter", "gauge"],
    name: str,
    help: str,
    value: Callable[[AccountStatus], float | None],
) -> Series:
    found = [(_label(row, what), value(row)) for row in rows]
    samples = [(labels, float(one)) for labels, one in found if one is not None]
    return Series(f"{PREFIX}{what}_{name}", kind, help, samples)


def _label(row: AccountStatus, what: Word) -> dict[str, str]:
    """Return the label that names a row: the key of an account, the id of an agent."""
    return {what: row.account if what == "account" else row.account_id}


def _is_failed(row: AccountStatus) -> float:
    return float(row.phase == Phase.FAILED)


def _is_running(row: AccountStatus) -> float:
    return float(row.phase == Phase.RUNNING)


def _restarts(rows: Iterable[AccountStatus], what: Word) -> Series:
    """Return the restarts of every one by reason, those that never happened too."""
    samples = [
        (_label(row, what) | {"reason": reason}, float(row.restart_reasons.get(reason, 0)))
        for row in rows
        for reason in RESTART_REASONS
    ]
    meaning = "Starts that no orderly stop came before, by reason."
    return Series(f"{PREFIX}{what}_restarts", "counter", meaning, samples)


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
