"""Carries out the actions of the turn table; subclasses send the frames to agents.

The caller that begins a turn receives its events and its end, stores them, and acknowledges them.
Nothing is stored here: a new gateway continues a turn by ``resume``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from ipc.epoch import SetClock
from ipc.frames.data import MAX_TURN_BYTES
from runtime.gateway.runs.turn_table import (
    HandDeath,
    HandEnd,
    HandEvents,
    HandSent,
    OpenTurn,
    ResumedTurn,
    SendDown,
    TurnAction,
    TurnTable,
)
from workers.agent import Turn, TurnEvent, TurnOutcome

log = structlog.get_logger("gateway.turns")


class OversizedTurn(ValueError):
    """Raised for a turn that is too large; the text names its size and what helps."""


class TurnListener(Protocol):
    """Interface of the caller that begins a turn. Its exceptions are logged and affect no other."""

    def on_sent(self, incarnation: int) -> None:
        """Handle that the turn is sent to this incarnation of the agent: keep it for ``resume``."""

    def on_events(self, events: list[TurnEvent], last: int) -> None:
        """Handle events; call ``acknowledge(run, last)`` once they are stored."""

    def on_end(self, outcome: TurnOutcome, seq: int) -> None:
        """Handle the end; call ``acknowledge(run, seq)`` once it is stored, unless ``seq`` is 0."""

    def on_death(self, seen: bool) -> None:
        """Handle the death of the agent, which ends the turn.

        ``seen``: a delta or the call of a tool was acknowledged.
        """


class TurnCarrier:
    """Turns of agents. ``send(action)`` is called with each frame for one.

    ``dropped`` counts by reason what agents have sent in vain. ``clock()`` is the time in epoch
    seconds.
    """

    def __init__(
        self, send: Callable[[SendDown], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = TurnTable()
        self._send_down = send
        self._clock = clock
        self._set_clock = SetClock()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0  # the loop's time; uvloop's handle of a time that has come has none

    def __len__(self) -> int:
        """Return how many turns are open."""
        return len(self._table.by_run)

    @property
    def dropped(self) -> Counter[str]:
        """What agents have sent in vain, by reason."""
        return self._table.dropped

    def begin(self, agent: str, turn: Turn, listener: TurnListener, *, attempt: int = 1) -> None:
        """Send a turn to an agent as soon as it is connected, until the deadline.

        ``attempt`` counts the turns of the same run. Raises ``OversizedTurn``, and ``ValueError``
        where the run has a turn that is not over.
        """
        self._follow_clock()
        self._execute(self._table.add(_new_turn(agent, turn, listener, attempt)))

    def resume(self, turn: ResumedTurn, listener: TurnListener) -> None:
        """Resume a turn that an earlier gateway has sent to an incarnation of the agent.

        If the agent has never received it, it ends as aborted, and the caller may begin it again
        with its history. Raises ``ValueError`` as ``begin``.
        """
        name, after = name_of(turn.run, turn.attempt), turn.after
        opened = OpenTurn(name, turn.run, turn.agent, b"", turn.deadline, listener, turn.attempt)
        opened = replace(
            opened, incarnation=turn.incarnation, got=after, stored=after, seen=turn.seen
        )
        self._follow_clock()
        self._execute(self._table.add(opened))

    def on_all_resumed(self, awaited: Iterable[str] = ()) -> None:
        """Allow agents to drop turns without a ``resume`` from now on: their runs are over.

        The first turns of the runs ``awaited`` are kept until they are begun, or released: an
        earlier gateway may have begun them and not stored it.
        """
        self._table.complete_with(name_of(run, 1) for run in awaited)

    def release(self, run: str) -> None:
        """Allow agents to drop the first turn of an awaited run: it is over."""
        self._execute(self._table.release(name_of(run, 1)))

    def acknowledge(self, run: str, seq: int, *, attempt: int | None = None) -> None:
        """Acknowledge the events of a run that are stored up to ``seq``; its end closes the turn.

        With ``attempt`` nothing of another one is acknowledged.
        """
        self._execute(self._table.acknowledge(run, seq, attempt))

    def cancel(self, run: str) -> None:
        """Cancel the turn of a run; its end follows, from the agent or after ``CANCEL_MS``."""
        self._follow_clock()
        self._execute(self._table.cancel(run, self._now()))

    def close(self) -> None:
        """Stop the timer: the turns go on, and the next gateway resumes them."""
        if self._timer is not None:
            self._timer.cancel()

    def _execute(self, actions: list[TurnAction]) -> None:
        for action in actions:
            if isinstance(action, SendDown):
                self._send_down(action)
            else:
                self._notify_listener(action)
        self._set_timer()

    def _notify_listener(self, action: HandSent | HandEvents | HandEnd | HandDeath) -> None:
        listener: TurnListener = action.turn.listener
        try:
            match action:
                case HandSent():
                    listener.on_sent(action.incarnation)
                case HandEvents():
                    listener.on_events(action.events, action.last)
                case HandEnd():
                    listener.on_end(action.outcome, action.seq)
                case HandDeath():
                    listener.on_death(action.seen)
        except Exception:
            log.exception("listener of a turn failed", run=action.turn.run, agent=action.turn.agent)

    def _follow_clock(self) -> None:
        """Move the deadlines along with the host's clock if that was set."""
        _, step = self._set_clock.read()
        if step:
            self._table.move(step)

    def _set_timer(self) -> None:
        self._follow_clock()
        due = self._table.next_due()
        if due is None:
            return
        at = self._loop.time() + max(0.0, due / 1000 - self._clock())
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(at, self._on_timer), at

    def _on_timer(self) -> None:
        self._timer = None
        self._follow_clock()
        self._execute(self._table.expire(self._now()))

    def _now(self) -> int:
        return int(self._clock() * 1000)


def name_of(run: str, attempt: int) -> str:
    """Return the name of a turn: no two attempts at a run have the same."""
    return f"{attempt}:{run}"


def _new_turn(agent: str, turn: Turn, listener: TurnListener, attempt: int) -> OpenTurn:
    name, payload = name_of(turn.run, attempt), payload_of(turn)
    return OpenTurn(name, turn.run, agent, payload, turn.deadline, listener, attempt)


def payload_of(turn: Turn) -> bytes:
    """Return a turn as JSON; raises ``OversizedTurn``."""
    payload = msgspec.json.encode(turn)
    if len(payload) > MAX_TURN_BYTES:
        raise OversizedTurn(
            f"the turn of run {turn.run} has {len(payload)} bytes, at most {MAX_TURN_BYTES} go to"
            " an agent: give it less history, and files by their id"
        )
    return payload
