"""Holds figures for Prometheus as plain data, and writes them as text. Pure.

The supervisor serves no HTTP: its figures reach ``/metrics`` through its reports, and while
the gateway is down the command line prints the same text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from ipc.frames.status import RESTART_REASONS, AccountStatus

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

    def each(kind: Literal["counter", "gauge"], name: str, help: str, field: str) -> Series:
        found = [({"account": row.account}, getattr(row, field)) for row in known]
        return Series(
            f"{PREFIX}account_{name}",
            kind,
            help,
            [(labels, float(value)) for labels, value in found if value is not None],
        )

    waits = [
        ({"account": row.account}, max(0.0, row.next_try_at / 1000 - now))
        for row in known
        if row.next_try_at is not None
    ]
    up = [({"account": row.account}, float(row.phase == "running")) for row in known]
    lag = [
        ({"account": row.account}, row.loop_lag_ms / 1000)
        for row in known
        if row.loop_lag_ms is not None
    ]
    restarts = [
        ({"account": row.account, "reason": reason}, float(row.restart_reasons.get(reason, 0)))
        for row in known
        for reason in RESTART_REASONS
    ]
    return [
        Series(f"{PREFIX}account_up", "gauge", "1 while the account is running.", up),
        Series(f"{PREFIX}account_backoff_seconds", "gauge", "Seconds to the next try.", waits),
        Series(f"{PREFIX}account_loop_lag_seconds", "gauge", "Lag of the worker's loop.", lag),
        Series(
            f"{PREFIX}account_restarts",
            "counter",
            "Starts that no orderly stop came before, by reason.",
            restarts,
        ),
        each("gauge", "failures", "Failures in a row.", "failures"),
        each("gauge", "rss_bytes", "Resident memory of the worker.", "rss_bytes"),
        each("counter", "log_dropped", "Lines of output not kept.", "log_dropped"),
        each("counter", "possibly_lost", "Messages that may be lost, at most.", "possibly_lost"),
    ]


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
