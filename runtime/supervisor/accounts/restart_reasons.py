"""Counts the restarts of an account by reason. Pure.

The history has only the last restarts; a counter covers all. The reasons are a fixed set of words,
so that a plugin's own words cannot create a new series.
"""

from __future__ import annotations

from ipc.frames.status import RESTART_REASONS
from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import (
    CONFIGURATION,
    OPERATOR,
    RESTART,
    UNKNOWN,
    Event,
    Restart,
    Start,
    State,
)


class RestartReasons:
    """Counts the restarts of one account; the sum equals ``restarts`` of its state."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._asked = OPERATOR  # by whom the restart that is under way was asked for

    def count(self, before: State, state: State, event: Event) -> None:
        """Count the restart in a change from ``before`` to ``state``, if there is one."""
        if isinstance(event, Restart):
            self._asked = event.why
        elif isinstance(event, Start) and state.phase is Phase.STOPPING:
            self._asked = CONFIGURATION if event.automatic else OPERATOR
        if state.restarts > before.restarts:
            reason = self._reason(state, event)
            self.counts[reason] = self.counts.get(reason, 0) + 1

    def _reason(self, state: State, event: Event) -> str:
        match event:
            case Start(automatic=False):
                return OPERATOR
            case Restart(why=why):
                return why
        if state.cause == RESTART:
            return self._asked
        return state.cause if state.cause in RESTART_REASONS else UNKNOWN
