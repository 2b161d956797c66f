"""Finds the state of a run in its conversation after the other gateway restarted. Pure.

The process that had the run is gone. OpenClaw continues such a run by itself, under another name:
then the answer to the run's message is the answer of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

from workers.agents.openclaw.reading import text_of

Json = Mapping[str, Any]
INTERNAL = "internal_system"  # where a row comes from that asks the agent to go on


class Remains(Enum):
    """What a restarted gateway still has of a run."""

    NOTHING = auto()  # its message is not there: it was never begun
    RUNNING = auto()
    BROKEN = auto()  # its message is there, and nothing runs that would answer it
    ANSWER = auto()


def remains_of(history: Json, run: str) -> tuple[Remains, str]:
    """Return the state of a run by the answer of ``chat.history``, and the text of its answer."""
    rows = [each for each in _list(history.get("messages")) if isinstance(each, Mapping)]
    asked = next((at for at, row in enumerate(rows) if _asks(row, run)), None)
    answer = _answer(rows if asked is None else rows[asked + 1 :], run, asked is not None)
    if answer is not None:
        return Remains.ANSWER, answer
    info = history.get("sessionInfo")
    busy = isinstance(info, Mapping) and (
        bool(info.get("hasActiveRun")) or info.get("status") == "running"
    )
    waits = any(each.get("runId") == run for each in _pending(history))
    if waits or (asked is not None and busy):
        return Remains.RUNNING, ""
    return (Remains.NOTHING if asked is None else Remains.BROKEN), ""


def _asks(row: Json, run: str) -> bool:
    """Return whether a row of the history is the run's message."""
    if row.get("role") != "user":
        return False
    about = _about(row)
    keys = (row.get("idempotencyKey"), about.get("idempotencyKey"), about.get("runId"))
    return any(key in (run, f"{run}:user") for key in keys)


def _answer(rows: Sequence[Json], run: str, begun: bool) -> str | None:
    """Return the last answer that follows the run's message, up to the next message."""
    found = None
    for row in rows:
        mine = _about(row).get("runId") == run
        if row.get("role") == "user" and begun and not _is_internal(row):
            break  # the next message: what follows answers that
        if row.get("role") != "assistant" or not (mine or begun):
            continue
        if row.get("stopReason") in ("stop", "length", "end_turn") and text_of(row).strip():
            found = text_of(row)
    return found


def _is_internal(row: Json) -> bool:
    """Return whether a row was added by the gateway itself, not by a person."""
    provenance = row.get("provenance")
    return isinstance(provenance, Mapping) and provenance.get("kind") == INTERNAL


def _about(row: Json) -> Json:
    about = row.get("__openclaw")
    return about if isinstance(about, Mapping) else {}


def _pending(history: Json) -> list[Json]:
    pending = history.get("pendingInputs")
    items = pending.get("items") if isinstance(pending, Mapping) else None
    return [each for each in _list(items) if isinstance(each, Mapping)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
