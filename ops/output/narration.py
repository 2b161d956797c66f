"""Formats the lines of ``watch`` and of logs, one for each event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipc.frames.words import Phase
from ops.output.text import clean, duration, moment

Row = Mapping[str, Any]
_LINE_FIELDS = frozenset({"ts", "account", "incarnation", "stream", "level", "event", "logger"})


class Narrator:
    """Describes changes of status by comparing each new row with the last one."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Any, ...]] = {}

    def set(self, name: str, row: Row) -> None:
        """Set ``row`` as the previous status, unless a newer one is known."""
        self._last.setdefault(name, _gist(row))

    def narrate(self, name: str, row: Row, now: float) -> str | None:
        """Return the line about a change of ``name`` at ``now`` (epoch seconds); it may be none."""
        gist = _gist(row)
        before = self._last.get(name)
        if before == gist:
            return None
        self._last[name] = gist
        phase = row.get("phase", "")
        old = before[0] if before else None
        step = phase if old in (None, phase) else f"{old} → {phase}"
        parts = [clean(name), step, *_because(row, now)]
        return "  ".join(part for part in parts if part)


def _gist(row: Row) -> tuple[Any, ...]:
    return (
        row.get("phase"),
        row.get("cause"),
        row.get("incarnation"),
        row.get("health"),
        row.get("connected", True) or row.get("phase") != Phase.RUNNING,
        row.get("nextTryAt") is not None,
    )


def _because(row: Row, now: float) -> list[str]:
    match row.get("phase"):
        case Phase.RUNNING:
            return [_ready(row)]
        case Phase.STARTING:
            return [f"incarnation {row.get('incarnation')}"]
        case Phase.STOPPING:
            cause = clean(row.get("cause") or "")
            return [f"{cause}: {_error(row)}" if cause == "unhealthy" else cause]
        case Phase.BACKOFF:
            return [", ".join(filter(None, [_error(row), _next(row, now), _failures(row)]))]
        case Phase.FAILED:
            why = _error(row) or clean(row.get("cause") or "")
            return [", ".join(filter(None, [why, _next(row, now)]))]
        case Phase.STOPPED:
            hold = row.get("hold") or {}
            return [": ".join(clean(x) for x in (row.get("cause"), hold.get("reason")) if x)]
    return []


def _ready(row: Row) -> str:
    health = row.get("health")
    if health not in (None, "ok"):
        return clean(health)
    if not row.get("connected", True):
        return "no session with the supervisor"
    pid = f"pid {row.get('pid')}"
    started, ready = row.get("startedAt"), row.get("readyAt")
    if started and ready and ready >= started:
        return f"ready after {(ready - started) / 1000:.2f} s, {pid}"
    return f"ready, {pid}"


def _error(row: Row) -> str:
    """Return why the process ended or, if unknown, how."""
    return clean(row.get("lastError") or row.get("lastExit") or "")


def _next(row: Row, now: float) -> str:
    due = row.get("nextTryAt")
    return f"next try in {duration(due / 1000 - now)}" if due else ""


def _failures(row: Row) -> str:
    failures = row.get("failures") or 0
    return f"{failures} failures in a row" if failures > 1 else ""


def message_line(event: Row) -> str:
    """Return the line about one ``channel.message``: sender, chat or recipient, and text."""
    message: Row = event.get("message") or {}
    again = "  (again)" if event.get("redelivered") else ""
    text = clean(str(message.get("text", "")))
    if event.get("direction") == "out":
        where = clean(str(message.get("to", "")))
        return f"{clean(event['account'])}  → {where}: {text}{again}"
    sender: Row = message.get("sender") or {}
    chat: Row = message.get("chat") or {}
    who = clean(str(sender.get("name") or sender.get("id") or "?"))
    place = "" if chat.get("kind") == "direct" else f" in {clean(str(chat.get('id', '?')))}"
    text = f"* {text}" if message.get("action") else text
    return f"{clean(event['account'])}  ← {who}{place}: {text}{again}"


def log_line(line: Row) -> str:
    """Format one captured log line: time, account, a mark for stderr, and text.

    A structured line is shown as its event and fields. A worker may have written anything, so all
    of it is cleaned.
    """
    when = line.get("ts")
    time = moment(when) if isinstance(when, str | int | float) else ""
    who = clean(str(line.get("account") or "supervisor"))
    mark = " !" if line.get("stream") == "stderr" else ""
    return f"{time}  {who}{mark}  {clean(_what(line))}".rstrip()


def _what(line: Row) -> str:
    if "text" in line or "event" not in line:
        return str(line.get("text", ""))
    level = str(line.get("level", "info"))
    fields = " ".join(f"{name}={value}" for name, value in line.items() if name not in _LINE_FIELDS)
    text = f"{line['event']}  {fields}".rstrip()
    return text if level in ("info", "debug") else f"{level}: {text}"
