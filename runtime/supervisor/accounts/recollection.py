"""Reads from the history of an account what its lifecycle must not forget over restarts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import NEEDS_LOGIN, State
from runtime.supervisor.refusals import RefusalPolicy, Refusals


def recollect(
    history: Sequence[Mapping[str, Any]], incarnation: int, epoch: float, clock: float
) -> State:
    """Return the state in which an account with this history begins, the oldest event first.

    ``epoch`` and ``clock`` are the present time, since 1970 and on the clock of the lifecycle.
    What is kept: failures that were not forgiven, whether it ever ran, and when its password
    was refused in the last hour, so that no restart of the supervisor adds tries.
    """
    rules = RefusalPolicy()
    logins = [
        clock - age
        for age in (epoch - event["at"] / 1000 for event in history if _is_login(event))
        if 0 <= age < rules.login_span
    ]
    return State(
        incarnation=incarnation,
        failures=history[-1]["failures"] if history else 0,
        proven=any(event.get("proven") or event["phase"] == Phase.RUNNING for event in history),
        refusals=Refusals(logins=tuple(logins[-rules.logins :])),
    )


def _is_login(event: Mapping[str, Any]) -> bool:
    return event.get("exitCause") == NEEDS_LOGIN
