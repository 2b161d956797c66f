"""Prints the answers of ``channels describe``, ``channels events`` and ``history``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ops.output.account_table import ACCOUNT_COLUMNS, account_cells
from ops.output.commands import for_runtime
from ops.output.narration import log_line
from ops.output.paragraphs import filled
from ops.output.show import show_table
from ops.output.text import clean, mebibytes, moment

_SHOWN = 10  # events; `channels events` has them all


def show_description(found: dict[str, Any]) -> None:
    """Print the answer of ``channels.describe`` about one account."""
    print(clean(found["status"]["account"]))
    shown = [
        (name, clean(str(value)))
        for name, value in _facts(found)
        if value not in (None, "", 0, "0")
    ]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        print(filled(f"  {name.ljust(width)}  ", value))
    print("\nlast events")
    show_events(found.get("events", [])[-_SHOWN:])
    print("\nlast log lines")
    for line in found.get("lines", []):
        print(log_line(line))
    if not found.get("lines"):
        print("none")


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what is printed of an account, line by line; an empty value is left out."""
    status = found["status"]
    cells = account_cells(status, time.time())
    reported = status.get("plugin") or {}
    return [
        ("kind" if "kind" in found else "channel", found.get("label")),
        ("name", found.get("name")),
        ("identity", found.get("identity")),
        ("why", for_runtime(found.get("why") or "")),
        ("next", for_runtime(found.get("next") or "")),
        ("plugin", found.get("imports")),
        ("interpreter", found.get("python")),
        *((column.title, cells[column.title]) for column in ACCOUNT_COLUMNS[1:-1]),
        ("last error", status.get("lastError")),
        ("configuration", _spawned_with(found)),
        *([] if "kind" in found else [("journal", _journal(status))]),
        ("repeats a turn", found.get("repeat")),
        ("turn at most", f"{found['timeoutSeconds']:g} s" if "timeoutSeconds" in found else None),
        *(("who may talk", line) for line in found.get("access") or ()),
        ("memory limits", _memory(found)),
        ("last exit", status.get("lastExit")),
        ("restarts", status.get("restarts")),
        ("possibly lost", _lost(status)),
        ("log lines dropped", status.get("logDropped")),
        *((f"plugin {name}", _shown(name, value)) for name, value in reported.items()),
    ]


def _journal(status: dict[str, Any]) -> str | None:
    """Return how the account's journal protects its messages."""
    if status.get("journal") == "off":
        return "off: a kill of the gateway may lose messages"
    return status.get("journal")


def _lost(status: dict[str, Any]) -> int | str | None:
    """Return how many messages may be lost; unknown if the worker died before its first beat."""
    lost: int | None = status.get("possiblyLost", 0)
    return "unknown" if lost is None else lost


def _shown(name: str, value: Any) -> Any:
    """Format a plugin's value for people; one whose name ends in ``At`` is a time."""
    if not (name.endswith("At") and isinstance(value, int | float)):
        return value
    try:
        return moment(value)
    except (ValueError, OverflowError, OSError):  # a plugin may report anything
        return value


def _spawned_with(found: dict[str, Any]) -> str | None:
    """Return the configuration revision that the process was started with."""
    revision, present = found["status"].get("revision"), found.get("configRevision")
    if not revision:
        return None
    return f"revision {revision}" + (f" (now {present})" if present not in (None, revision) else "")


def _memory(found: dict[str, Any]) -> str | None:
    """Return the account's memory limit, and what enforces it."""
    limits = found.get("limits") or {}
    sizes = [limits.get("memorySoftBytes"), limits.get("memoryHardBytes")]
    if not any(sizes):
        return None
    return f"{_size(sizes[0])} soft, {_size(sizes[1])} hard; by {found.get('limitsBy')}"


def _size(size_bytes: int | None) -> str:
    return mebibytes(size_bytes) or "no"


def _event_text(event: dict[str, Any]) -> str | None:
    """Return the text of an event, who requested it, and how often it came."""
    text, by = event.get("text"), event.get("by")
    return _with_times(f"{text or 'asked for'} (by {by})" if by else text, event)


def _with_times(text: str | None, event: dict[str, Any]) -> str | None:
    """Return a text with how often it came, and since when: the time beside it is the last one."""
    if event.get("times", 1) == 1:
        return text
    return f"{text or ''} ({event['times']} times since {moment(event['first'])})".lstrip()


def show_changes(changes: Sequence[dict[str, Any]]) -> None:
    """Print the history of changes, the oldest first."""
    rows = [
        (moment(e["at"]), e.get("by") or "", _with_times(e.get("text"), e) or "") for e in changes
    ]
    show_table(("time", "by", "change"), rows)


def show_events(events: Sequence[dict[str, Any]]) -> None:
    """Print the history of an account, the oldest first."""
    rows = [
        (moment(e["at"]), e["incarnation"], e["phase"], e.get("cause"), _event_text(e))
        for e in events
    ]
    show_table(("time", "incarnation", "phase", "cause", "text"), rows)
