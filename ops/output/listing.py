"""Filters, sorts and summarizes the status rows of a table. Pure.

Rows are those of ``trunkline status --json``. Rows that need a person come first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ipc.frames.words import AGENT, Phase
from ops.exits import UnknownName, UsageFailure

Row = Mapping[str, Any]
_DIGITS = re.compile("([0-9]+)")

_PHASES = (
    Phase.FAILED,
    Phase.BACKOFF,
    Phase.STARTING,
    Phase.STOPPING,
    Phase.STOPPED,
    Phase.RUNNING,
)
_WORDS = {Phase.BACKOFF: "in backoff"}


def severity(row: Row) -> int:
    """Return the urgency of an account as a sort key: 0 is the worst, disabled ones come last."""
    phase = row.get("phase")
    if not row.get("enabled", True):
        return 9
    if phase == Phase.FAILED:
        return 0
    if phase == Phase.BACKOFF:
        return 1
    if row.get("todo") or row.get("login"):
        return 2
    if is_degraded(row):
        return 3
    if phase in (Phase.STARTING, Phase.STOPPING):
        return 4
    return 5 if phase == Phase.STOPPED else 6


def is_degraded(row: Row) -> bool:
    """Return whether an account runs but is degraded."""
    return row.get("phase") == Phase.RUNNING and row.get("health") not in (None, "ok")


def _text(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.get(name) or "")


def _number(name: str) -> Callable[[Row], float]:
    return lambda row: -float(row.get(name) or 0)


def _dropped(row: Row) -> float:
    return -float(sum((row.get("dropped") or {}).values()))


# Names and words ascend, figures descend: the largest is what one looks for. An uptime is large
# where the start is long ago.
ORDERS: dict[str, Callable[[Row], Any]] = {
    "worst": severity,
    "account": lambda _: "",
    "channel": _text("channel"),
    "phase": _text("phase"),
    "cause": _text("cause"),
    "uptime": lambda row: row.get("readyAt") or float("inf"),
    "rss": _number("rssBytes"),
    "cpu": _number("cpuPercent"),
    "in": _number("messagesIn"),
    "out": _number("messagesOut"),
    "queued": _number("queued"),
    "dropped": _dropped,
    "failures": _number("failures"),
    "restarts": _number("restarts"),
}

FILTERS: dict[str, Callable[[Row], str]] = {
    "account": _text("account"),
    "channel": _text("channel"),
    "phase": _text("phase"),
    "cause": _text("cause"),
    "health": lambda row: str(row.get("health") or "ok"),
    "agent": _text("agent"),
    "name": _text("name"),
    "enabled": lambda row: "yes" if row.get("enabled", True) else "no",
    "held": lambda row: "yes" if row.get("hold") else "no",
}
# Fields with few values, all of which are known here; NAMES are fields with those of the rows.
VALUES = {"phase": tuple(Phase), "enabled": ("yes", "no"), "held": ("yes", "no")}
NAMES = ("account", "channel", "agent")
_PATTERN = re.compile(r"[*?\[]")


class FilterTerm(NamedTuple):
    """One part of a filter: rows whose ``field`` is ``value``, or is not if ``negated``."""

    field: str
    value: str
    negated: bool


def check_order(order: str) -> None:
    """Raise ``UsageFailure`` unless ``order`` is one of ``ORDERS``."""
    if order not in ORDERS:
        raise UsageFailure(f"--sort takes {', '.join(ORDERS)}; not {order!r}")


def ordered(rows: Sequence[Row], order: str) -> list[Row]:
    """Sort ``rows`` by one of ``ORDERS``; equal ones by name, ``a2`` before ``a10``."""
    return sorted(rows, key=lambda row: (ORDERS[order](row), _natural(row)))


def _natural(row: Row) -> list[str | int]:
    parts = _DIGITS.split(str(row["account"]))  # texts and numbers in turn
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def terms(texts: Sequence[str]) -> list[FilterTerm]:
    """Read texts ``FIELD=VALUE[,FIELD!=VALUE…]``.

    Raises ``UsageFailure`` for a text of another form, and for a value that its field never has.
    """
    found = []
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        field, equals, value = text.partition("=")
        negated = field.endswith("!")
        field = field.removesuffix("!")
        if not equals or field not in FILTERS:
            known = ", ".join(FILTERS)
            raise UsageFailure(f"--filter takes FIELD=VALUE with {known}; not {text!r}")
        values = VALUES.get(field)
        if values and value not in values and not _PATTERN.search(value):
            raise UsageFailure(f"--filter {field}= takes {', '.join(values)}; not {value!r}")
        found.append(FilterTerm(field, value, negated))
    return found


def check_names(found: Sequence[FilterTerm], rows: Sequence[Row]) -> None:
    """Raise ``OperatorError`` for an account, channel or agent that ``rows`` do not name.

    ``rows`` are those of all accounts and agents.
    """
    for field, value, _ in found:
        if field not in NAMES or not value or _PATTERN.search(value):
            continue
        known = {FILTERS[field](row) for row in rows}
        if field == "agent":
            known |= {str(row["account"]).partition(":")[2] for row in rows if _is_agent(row)}
        if value not in known:
            raise UnknownName(field, value, sorted(known))


def _is_agent(row: Row) -> bool:
    return row.get("channel") == AGENT


def condition(found: Sequence[FilterTerm]) -> Callable[[Row], bool]:
    """Return a predicate for rows.

    Values of one field are alternatives, different fields must all match; ``!=`` excludes, ``*``
    matches anything.
    """
    wanted: dict[str, list[str]] = {}
    unwanted: list[tuple[str, str]] = []
    for field, value, negated in found:
        if negated:
            unwanted.append((field, value))
        else:
            wanted.setdefault(field, []).append(value)

    def holds(row: Row) -> bool:
        return all(
            any(fnmatchcase(FILTERS[field](row), value) for value in values)
            for field, values in wanted.items()
        ) and not any(fnmatchcase(FILTERS[field](row), value) for field, value in unwanted)

    return holds


def summary(rows: Sequence[Row], what: str = "account") -> str:
    """Return the line above a table: ``42 accounts: 2 in backoff, 40 running (1 degraded)``."""
    counts = Counter(row.get("phase") for row in rows)
    parts = [f"{counts[phase]} {_WORDS.get(phase, phase)}" for phase in _PHASES if counts[phase]]
    degraded = sum(map(is_degraded, rows))
    if degraded:
        parts[-1] += f" ({degraded} degraded)"
    head = f"{len(rows)} {what}{'' if len(rows) == 1 else 's'}"
    return f"{head}: {', '.join(parts)}" if parts else head
