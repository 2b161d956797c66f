"""Explains what an operator must do about an account that does not come back by itself. Pure."""

from __future__ import annotations

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import MISCONFIGURED, NEEDS_LOGIN, State


def todo(key: str, state: State) -> str | None:
    """Return what is to be done, as one sentence; ``None`` when nothing is."""
    if state.phase is not Phase.FAILED:
        return None
    then = f"then `trunkline channels start {key}`"
    path = "channels.{}.accounts.{}".format(*key.split(":", 1))
    match state.cause:
        case str() as cause if cause == NEEDS_LOGIN:
            return f"log in again or renew its secret ({path}), {then}"
        case str() as cause if cause == MISCONFIGURED:
            return f"correct {path} in the configuration (it is then started), or {then[5:]}"
        case _:
            return f"see `trunkline channels describe {key}`, {then}"
