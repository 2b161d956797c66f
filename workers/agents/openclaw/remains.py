"""Find what a gateway that was restarted still has of a run, in its conversation. Pure.

The process that had the run is gone. OpenClaw goes on with it by itself, under a name of its own:
then what answers the run's message is its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

from workers.agents.openclaw.reading import text_of

Json = Mapping[str, Any]
INTERNAL = "internal_system"  # where a row comes from that asks the agent to go on


class Remains(Enum):
    """What is left of a run."""

    NOTHING = auto()  # its message is not there: it was never begun
    RUNNING = auto()
    BROKEN = auto()  # its message is there, and nothing runs that would answer it
    ANSWER = auto()


def remains_of(history: Json, run: str) -> tuple[Remains, str]:
    """Return what an answer of ``chat.history`` shows of a run, with the text of an answer."""
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
    """Return whether a row is the message of the run."""
    if row.get("role") != "user":
        return False
    about = _about(row)
    keys = (row.get("idempotencyKey"), about.get("idempotencyKey"), about.get("runId"))
    return any(key in (run, f"{run}:user") for key in keys)


def _answer(rows: Sequence[Json], run: str, begun: bool) -> str | None:
    """Return the answer to the run's message in what follows it: the last one of its turn."""
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
    """Return whether a row is no person's message, but what the gateway itself has added."""
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
