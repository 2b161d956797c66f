"""Finds why a gateway may not answer: a journal that cannot store, or a full disk."""

from __future__ import annotations

import shutil

from ipc.errors import IpcError
from ops.connect.places import places_of
from ops.connect.supervisor import call_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import OperatorError
from runtime.config.places import Places

_WITHIN = 2.0  # seconds; the question before has waited long enough
_FULL_BYTES = 1 << 20
_STORING = "degraded: journal"  # how the health of a row begins that cannot be stored


async def why_no_answer(places: Places) -> str | None:
    """Return why there may be no answer, as the end of a sentence; ``None`` if nothing is known."""
    try:
        status = await call_supervisor(places, "supervisor.status", {}, timeout=_WITHIN)
    except (OperatorError, IpcError, OSError):
        status = {}
    for row in (*status.get("accounts", ()), *status.get("agents", ())):
        health = row.get("health") or ""
        if health.startswith(_STORING):
            return f"nothing can be stored ({health.removeprefix('degraded: ')}): {_room(places)}"
    try:
        full = shutil.disk_usage(places.state_dir).free < _FULL_BYTES
    except OSError:
        return None
    return f"the disk is full, and nothing can be stored: {_room(places)}" if full else None


async def explained(error: IpcError, target: RuntimeTarget) -> str:
    """Return the text for a call without an answer, with the likely reason for our own gateway."""
    why = None if target.url else await why_no_answer(places_of(target))
    return f"{error}; {why}" if why else str(error)


def _room(places: Places) -> str:
    return f"make room for {places.state_dir}, see `trunkline doctor`"
