"""Represents Prometheus metrics as plain data, and formats them as text. Pure.

The supervisor has no HTTP server: its metrics reach ``/metrics`` through its reports, and while the
gateway is down the command line prints the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Literal

import msgspec

from ipc.frames.status import DROP_REASONS, RESTART_REASONS, AccountStatus
from ipc.frames.words import Phase

PREFIX = "trunkline_"
MEMORY = "Resident memory of the worker and of the programs that it has started."
Word = Literal["account", "agent"]
Kind = Literal["counter", "gauge", "histogram"]


class Series(msgspec.Struct, frozen=True):
    """One metric; the suffix ``_total`` of a counter is added when it is formatted.

    ``samples`` are pairs of labels and value. Those of a histogram are its buckets, with the label
    ``le``, and their sum, without.
    """

    name: str
    kind: Kind
    help: str
    samples: list[tuple[dict[str, str], float]]


def counter(name: str, help: str, value: float) -> Series:
    """Return a counter with one sample."""
    return Series(PREFIX + name, "counter", help, [({}, float(value))])


def gauge(name: str, help: str, value: float) -> Series:
    """Return a gauge with one sample."""
    return Series(PREFIX + name, "gauge", help, [({}, float(value))])


def counters(name: str, help: str, label: str, values: Mapping[str, float]) -> Series:
    """Return a counter with a sample for each value of a label."""
    samples = [({label: each}, float(value)) for each, value in values.items()]
    return Series(PREFIX + name, "counter", help, samples)


def gauges(name: str, help: str, label: str, values: Mapping[str, float]) -> Series:
    """Return a gauge with a sample for each value of a label."""
    return msgspec.structs.replace(counters(name, help, label, values), kind="gauge")


def histogram(
    name: str,
    help: str,
    label: str,
    bounds: Sequence[float],
    rows: Mapping[str, Sequence[float]],
) -> Series:
    """Return a histogram for each value of a label.

    A row has the counts between the ``bounds``, the count above the last one, and the sum.
    """
    samples: list[tuple[dict[str, str], float]] = []
    for each, row in rows.items():
        count = 0.0
        for bound, more in zip([*map(repr, bounds), "+Inf"], row, strict=False):
            count += more
            samples.append(({label: each, "le": bound}, count))
        samples.append(({label: each}, float(row[-1])))
    return Series(PREFIX + name, "histogram", help, samples)


def of_accounts(rows: Iterable[AccountStatus], now: float) -> list[Series]:
    """Return the metrics of all accounts; ``now`` is in epoch seconds."""
    known = list(rows)
    each = partial(_each, known, "account")
    return [
        *_of_workers(known, "account", now),
        each("gauge", "failures", "Failures in a row.", lambda row: row.failures),
        each("gauge", "media_bytes", "Bytes of the stored files.", lambda row: row.media_bytes),
        each("counter", "messages_in", "Received messages.", lambda row: row.messages_in),
        each("counter", "messages_out", "Sent messages.", lambda row: row.messages_out),
        each(
            "gauge",
            "queued",
            "Messages that the worker has not sent to the gateway yet.",
            lambda row: row.queued,
        ),
        each(
            "gauge",
            "activity_seconds",
            "Seconds since the last activity on the account's platform, if known.",
            lambda row: _inactive(row, now),
        ),
        _dropped(known),
        each(
            "counter",
            "log_dropped",
            "Lines of output that were dropped.",
            lambda row: row.log_dropped,
        ),
        each(
            "counter",
            "possibly_lost",
            "Maximal number of messages that may be lost.",
            lambda row: row.possibly_lost,
        ),
    ]


def of_agents(rows: Iterable[AccountStatus], now: float) -> list[Series]:
    """Return the metrics of all agents; ``now`` is in epoch seconds."""
    known = list(rows)
    return [
        *_of_workers(known, "agent", now),
        _each(known, "agent", "gauge", "turns", "Current turns of the agent.", _turns),
    ]


def _of_workers(rows: list[AccountStatus], what: Word, now: float) -> list[Series]:
    """Return the metrics common to accounts and agents; ``what`` names which these rows are."""

    def wait(row: AccountStatus) -> float | None:
        return None if row.next_try_at is None else max(0.0, row.next_try_at / 1000 - now)

    def lag(row: AccountStatus) -> float | None:
        return None if row.loop_lag_ms is None else row.loop_lag_ms / 1000

    def cpu(row: AccountStatus) -> float | None:
        return None if row.cpu_percent is None else row.cpu_percent / 100

    each = partial(_each, rows, what)
    return [
        each("gauge", "up", f"1 while the {what} is running.", _is_running),
        each("gauge", "failed", "1 while a person is needed.", _is_failed),
        each("gauge", "healthy", f"1 while the {what} runs and nothing is degraded.", _is_healthy),
        each("gauge", "held", "1 while a person has stopped it.", lambda row: row.hold is not None),
        _phases(rows, what),
        each("gauge", "backoff_seconds", "Seconds to the next try.", wait),
        each("gauge", "loop_lag_seconds", "Lag of the worker's loop.", lag),
        _restarts(rows, what),
        each("gauge", "rss_bytes", MEMORY, lambda row: row.rss_bytes),
        each("gauge", "cpu_ratio", "Cores that the worker uses.", cpu),
        each("gauge", "open_files", "Files that the worker has open.", lambda row: row.fds),
    ]


def _each(
    rows: list[AccountStatus],
    what: Word,
    kind: Kind,
    name: str,
    help: str,
    value: Callable[[AccountStatus], float | None],
) -> Series:
    found = [(_label(row, what), value(row)) for row in rows]
    samples = [(labels, float(one)) for labels, one in found if one is not None]
    return Series(f"{PREFIX}{what}_{name}", kind, help, samples)


def _label(row: AccountStatus, what: Word) -> dict[str, str]:
    """Return the label of a row: the key of an account or the id of an agent."""
    return {what: row.account if what == "account" else row.account_id}


def _is_failed(row: AccountStatus) -> float:
    return float(row.phase == Phase.FAILED)


def _is_running(row: AccountStatus) -> float:
    return float(row.phase == Phase.RUNNING)


def _is_healthy(row: AccountStatus) -> float:
    return float(row.phase == Phase.RUNNING and row.health in (None, "ok"))


def _turns(row: AccountStatus) -> float:
    turns = row.plugin.get("activeRuns")
    return float(turns) if isinstance(turns, int) else 0.0


def _inactive(row: AccountStatus, now: float) -> float | None:
    """Return the seconds since the last thing that an account heard from its platform or sent."""
    names = ("lastTransportActivityAt", "lastEventAt", "lastConnectedAt")
    at = [when for name in names if isinstance(when := row.plugin.get(name), int | float)]
    return max(0.0, now - max(at) / 1000) if at else None


def _phases(rows: Iterable[AccountStatus], what: Word) -> Series:
    samples = [
        (_label(row, what) | {"phase": phase.value}, float(row.phase == phase))
        for row in rows
        for phase in Phase
    ]
    return Series(f"{PREFIX}{what}_phase", "gauge", "1 for the phase that it is in.", samples)


def _dropped(rows: Iterable[AccountStatus]) -> Series:
    """Return the dropped messages of each account by reason; unknown reasons count as other."""
    samples: list[tuple[dict[str, str], float]] = []
    for row in rows:
        label = _label(row, "account")
        known = {reason: row.dropped.get(reason, 0) for reason in DROP_REASONS}
        known["other"] = sum(row.dropped.values()) - sum(known.values())
        samples += [(label | {"reason": each}, float(count)) for each, count in known.items()]
    meaning = "Messages and frames of the account that were dropped, by reason."
    return Series(f"{PREFIX}account_dropped", "counter", meaning, samples)


def _restarts(rows: Iterable[AccountStatus], what: Word) -> Series:
    """Return the restarts of each account or agent by reason, including zero counts."""
    samples = [
        (_label(row, what) | {"reason": reason}, float(row.restart_reasons.get(reason, 0)))
        for row in rows
        for reason in RESTART_REASONS
    ]
    meaning = "Starts without an orderly stop before them, by reason."
    return Series(f"{PREFIX}{what}_restarts", "counter", meaning, samples)


def text(series: Iterable[Series]) -> str:
    """Return the text format of Prometheus, version 0.0.4."""
    lines = []
    for one in series:
        name = one.name + ("_total" if one.kind == "counter" else "")
        lines += [f"# HELP {name} {one.help}", f"# TYPE {name} {one.kind}"]
        if one.kind == "histogram":
            lines += _histogram_lines(one)
        else:
            lines += [f"{name}{_labels(labels)} {value!r}" for labels, value in one.samples]
    return "".join(f"{line}\n" for line in lines)


def _histogram_lines(series: Series) -> list[str]:
    lines = []
    count = 0.0
    for labels, value in series.samples:
        shown = _labels(labels)
        if "le" in labels:
            lines.append(f"{series.name}_bucket{shown} {value!r}")
            count = value  # that of the last bucket, which holds everything
        else:
            lines.append(f"{series.name}_sum{shown} {value!r}")
            lines.append(f"{series.name}_count{shown} {count!r}")
    return lines


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


@lru_cache(maxsize=4096)
def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
