"""Restores the lifecycle state of an account from its history, after a restart. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import ASKED, NEEDS_LOGIN, State
from runtime.supervisor.refusals import RefusalPolicy, Refusals


def recollect(
    history: Sequence[Mapping[str, Any]], incarnation: int, epoch: float, clock: float
) -> State:
    """Return the initial state of an account with this history, whose oldest event comes first.

    ``epoch`` and ``clock`` are the present time, since 1970 and on the clock of the lifecycle.
    Restored are unforgiven failures, whether it ever ran, when its password was refused in the
    last hour (so that a restart of the supervisor adds no attempts), and a wait that the platform
    has asked for (``remaining_wait``).
    """
    rules = RefusalPolicy()
    logins = [
        clock - age
        for age in (epoch - event["at"] / 1000 for event in history if _is_login(event))
        if 0 <= age < rules.login_span
    ]
    state = State(
        incarnation=incarnation,
        failures=history[-1]["failures"] if history else 0,
        proven=any(event.get("proven") or event["phase"] == Phase.RUNNING for event in history),
        refusals=Refusals(logins=tuple(logins[-rules.logins :])),
    )
    asked = _wait_request(history)
    if asked is None or remaining_wait(history, epoch) is None:
        return state
    return replace(
        state,
        phase=Phase.BACKOFF,
        wanted=True,
        cause=asked["cause"],
        reason=asked["text"],
        retry=ASKED,
    )


def remaining_wait(history: Sequence[Mapping[str, Any]], epoch: float) -> float | None:
    """Return the remaining seconds that the platform asked to wait; ``None`` if it did not.

    The request holds until the account was started again. A clock that was set back never makes the
    wait longer than requested.
    """
    asked = _wait_request(history)
    if asked is None:
        return None
    whole, left = asked["askedUntil"] - asked["at"], asked["askedUntil"] - epoch * 1000
    return min(left, whole) / 1000 if left > 0 else None


def _wait_request(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the event since the last start in which the platform asked for a wait."""
    event: Mapping[str, Any]
    for event in reversed(history):
        if event["phase"] in (Phase.STARTING, Phase.RUNNING):
            return None
        if event.get("askedUntil") is not None:
            return event
    return None


def _is_login(event: Mapping[str, Any]) -> bool:
    return event.get("exitCause") == NEEDS_LOGIN
