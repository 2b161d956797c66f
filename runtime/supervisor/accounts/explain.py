"""Explains the state of an account or agent, what comes next, and what an operator can do. Pure."""

from __future__ import annotations

from ipc.frames.status import Hold
from ipc.frames.words import Phase, command_for
from runtime.config.worker_spec import WorkerSpec
from runtime.supervisor.lifecycle import (
    ASKED,
    ENDS,
    LINKING,
    MISCONFIGURED,
    NEEDS_A_PERSON,
    NEEDS_LOGIN,
    NOBODY_ATTACHED,
    WAITING,
    State,
)

WELL = (None, "ok")


def todo(spec: WorkerSpec, state: State) -> str | None:
    """Return what a person has to do, as one sentence; ``None`` if nothing."""
    key, place = spec.key, spec.place
    if state.phase is Phase.STOPPED and spec.enabled and not spec.configured:
        act = f"install or correct what {place} needs" if spec.unusable else f"complete {place}"
        return f"{spec.reason or 'not configured'}: {act}"
    if state.phase is Phase.STARTING and state.cause == LINKING:
        return f"log it in: `trunkline channels login {key}`"
    if state.phase is not Phase.FAILED:
        return None
    if state.cause == NEEDS_LOGIN and spec.can_login:
        return f"log it in: `trunkline channels login {key}`"
    start = f"`{command_for(key, 'start')}`"
    then = f"then {start}"
    if state.cause == NEEDS_LOGIN:
        return f"log in again or renew its secret ({place}), {then}"
    if state.cause == MISCONFIGURED:
        return f"correct {place} in the configuration (it is then started), or {start}"
    return f"see `{command_for(key, 'describe')}`, {then}"


def why(state: State, obstacle: str | None, hold: Hold | None, *, health: str | None = None) -> str:
    """Return one sentence that explains the account's state.

    ``obstacle`` is the sentence that says why it may not run, ``health`` that of its status row.
    """
    if state.phase is Phase.RUNNING:
        return "it runs" if health in WELL else f"it runs, but is {health}"
    if obstacle is not None:
        return obstacle
    if state.phase is Phase.STOPPED and hold is not None and hold.unknown:
        return hold.reason or "it is unknown whether a person had stopped it"
    if state.phase is Phase.STOPPED and hold is not None:
        because = f": {hold.reason}" if hold.reason else ""
        return f"stopped by {hold.by or 'an operator'}{because}"
    return state.reason or state.cause or state.phase.value


def unconfirmed(count: int) -> str:
    """Return a phrase about the messages of a stopped account that are not confirmed."""
    return f"{count} of its messages {'stays' if count == 1 else 'stay'} unconfirmed"


def what_next(spec: WorkerSpec, state: State, *, held: bool, health: str | None = None) -> str:
    """Return what happens next, and what an operator can do."""
    key, act = spec.key, todo(spec, state)
    match state.phase:
        case Phase.BACKOFF if state.cause in NEEDS_A_PERSON:
            return (
                "it is tried again automatically, as the refusal may pass; after several refusals"
                f" a person is needed. `{command_for(key, 'start')}` tries now"
            )
        case Phase.BACKOFF if state.retry == ASKED:
            return (
                "it is started again by itself when the time that the platform asked for is over;"
                f" `{command_for(key, 'start')}` does it now"
            )
        case Phase.BACKOFF:
            return f"it is started again by itself; `{command_for(key, 'start')}` does it now"
        case Phase.FAILED if state.retry is not None:
            return f"a slow try now and then; a person should act: {act}"
        case Phase.FAILED:
            return f"nothing until a person acts: {act}"
        case Phase.STOPPED if held or state.cause in ENDS:
            return f"nothing until `{command_for(key, 'start')}`"
        case Phase.STOPPED if spec.unusable:
            return "nothing until that is corrected or installed, and `trunkline config reload`"
        case Phase.STOPPED:
            return "nothing until its configuration changes"
        case Phase.STARTING if state.cause == WAITING:
            return "it continues automatically when what it waits for is there"
        case Phase.STARTING if state.cause == NOBODY_ATTACHED:
            return "it runs as soon as a program attaches: `trunkline help agents` shows how"
        case Phase.STARTING if state.cause == LINKING:
            return f"it waits for a person: `trunkline channels login {key}`"
        case Phase.STARTING:
            return "it becomes ready, or is stopped and tried again later"
        case Phase.STOPPING:
            return "it ends, or is killed after `restart.stopWithinSeconds`"
        case _ if health not in WELL:
            return "it continues automatically once that is corrected"
        case _:
            return "nothing: it runs"
