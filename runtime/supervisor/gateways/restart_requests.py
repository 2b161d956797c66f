"""Decides when a gateway restart that was requested happens: now, or after a pause. Pure.

No request is dropped. A restart is satisfied only by a process spawned after the request, because
only that one has read the configuration of that time. Requests that come while one waits are
merged with it, and each caller gets the outcome. Times are in seconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import RESTART, State

GAP = 2.5  # between the end of one restart and the beginning of the next: ClawX's number


class Outcome(StrEnum):
    """The outcome of a restart request."""

    NOW = "restarted"
    JOINED = "joined"  # a restart is on its way whose process is not spawned yet
    DEFERRED = "deferred"  # it follows by itself


class RestartAnswer(msgspec.Struct, frozen=True):
    """The answer to a request. ``after``: seconds to wait; ``None``: until the start is over."""

    outcome: Outcome
    after: float | None = 0.0


class Restarts:
    """The restarts of one child, with counters for the metrics."""

    def __init__(self, gap: float = GAP) -> None:
        self.gap = gap
        self.asked = 0
        self.executed = 0
        self.coalesced = 0
        self.deferred = 0
        self._pending = False
        self._running = False  # one was begun and is not ready yet
        self._done_at: float | None = None
        self._spawned = True  # the process of the present incarnation has read its configuration

    @property
    def pending(self) -> bool:
        """Whether a deferred restart waits."""
        return self._pending

    def request(self, state: State, now: float) -> RestartAnswer:
        """Handle a request; on ``NOW`` the caller restarts the child."""
        self.asked += 1
        if self.is_starting(state):
            self.coalesced += 1
            return RestartAnswer(Outcome.JOINED)
        if state.phase is Phase.STARTING:
            return self._defer(None)
        wait = self._wait(now)
        if state.phase is Phase.RUNNING and wait > 0:
            return self._defer(wait)
        self.on_restart()
        return RestartAnswer(Outcome.NOW)

    def is_starting(self, state: State) -> bool:
        """Return whether a process is being started that has not read the configuration yet."""
        returning = state.phase is Phase.STOPPING and state.wanted and state.cause == RESTART
        # Or it has been begun in this very turn, and the child does not know yet.
        begun = state.phase is Phase.RUNNING and self._running
        return returning or begun or (state.phase is Phase.STARTING and not self._spawned)

    def on_starting(self) -> None:
        """Record that a process is about to be spawned."""
        self._spawned = False

    def on_spawned(self) -> None:
        """Record that the process being spawned has its configuration."""
        self._spawned = True

    def on_phase(self, phase: Phase, now: float) -> float | None:
        """Apply a phase; return the seconds until a deferred restart is due, if there is one.

        A stop cancels it: what a person stopped stays stopped.
        """
        if phase is Phase.RUNNING and self._running:
            self._running = False
            self._done_at = now
        if phase is Phase.STOPPED:
            self._pending = self._running = False
        if not self._pending or phase in (Phase.STARTING, Phase.STOPPING):
            return None
        return self._wait(now) if phase is Phase.RUNNING else 0.0

    def on_restart(self) -> None:
        """Record that the child is restarted now, which satisfies all requests so far."""
        self._pending = False
        self._running = True
        self.executed += 1

    def _defer(self, after: float | None) -> RestartAnswer:
        if self._pending:
            self.coalesced += 1
        else:
            self.deferred += 1
        self._pending = True
        return RestartAnswer(Outcome.DEFERRED, after)

    def _wait(self, now: float) -> float:
        return 0.0 if self._done_at is None else max(0.0, self._done_at + self.gap - now)
