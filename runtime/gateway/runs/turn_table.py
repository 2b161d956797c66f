"""Decides what to send, hand on and give up of the turns that agents have. Pure.

A turn is one attempt of an agent at a run. Each method takes an event and returns the actions.
Numbers decide: an event is handed on once, in order, even if it comes twice. A turn belongs to one
incarnation of its agent, and ends with it; the caller that began it decides whether there is
another.

Times are epoch milliseconds.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from ipc.frames.data import TurnAck, TurnBegin, TurnCancel, TurnEnded, TurnEvents, TurnTaken
from ipc.nesting import MALFORMED, require_shallow
from workers.agent import Delta, ToolCall, TurnEvent, TurnOutcome

GRACE_MS = 2_000  # the agent ends a turn at its deadline; after so much more it is given up
CANCEL_MS = 5_000  # within which an agent ends a turn that is cancelled; then it is given up
PAST = 20_000  # names of turns that are over
SPARE = 1000  # times of turns that are over
REASONS = ("gap", "malformed", "repeated", "stale", "unknown")

TurnFrameDown = TurnBegin | TurnAck | TurnCancel
TurnFrameUp = TurnTaken | TurnEvents | TurnEnded

_event = msgspec.json.Decoder(TurnEvent).decode
_outcome = msgspec.json.Decoder(TurnOutcome).decode


def _none_of(reasons: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(reasons, 0))


class OpenTurn(msgspec.Struct):
    """A turn that is not over. ``name`` is that on the wire, ``agent`` the agent's key.

    ``incarnation`` is that which has it, 0 while it waits for one. ``taken``: the agent has said
    so. ``got`` is the newest number that was handed on, ``stored`` the newest that was
    acknowledged. ``shown`` is the number of the first delta or tool call; ``seen``: that was
    acknowledged. ``ended``: its end was handed on. ``listener`` is whom it is handed on to.
    """

    name: str
    run: str
    agent: str
    payload: bytes
    deadline: int
    listener: Any = None
    attempt: int = 1
    incarnation: int = 0
    taken: bool = False
    got: int = 0
    stored: int = 0
    shown: int = 0
    seen: bool = False
    cancel_at: int = 0
    ended: bool = False


class ResumedTurn(msgspec.Struct, frozen=True):
    """A turn of a run that an earlier gateway has sent to an incarnation of the agent.

    ``after`` is the newest number that is stored, ``seen`` whether a delta or the call of a tool is
    among that. ``attempt`` counts the turns of the same run.
    """

    agent: str
    run: str
    deadline: int
    incarnation: int
    after: int
    seen: bool
    attempt: int = 1


class SendDown(msgspec.Struct, frozen=True):
    """Send a frame to an incarnation of an agent."""

    agent: str
    incarnation: int
    frame: TurnFrameDown


class HandSent(msgspec.Struct, frozen=True):
    """Report to the listener that the turn is sent to an incarnation of the agent."""

    turn: OpenTurn
    incarnation: int


class HandEvents(msgspec.Struct, frozen=True):
    """Report events to the listener; up to ``last`` they are acknowledged once stored."""

    turn: OpenTurn
    events: list[TurnEvent]
    last: int


class HandEnd(msgspec.Struct, frozen=True):
    """Report the end to the listener; ``seq`` is acknowledged once it is stored, unless 0."""

    turn: OpenTurn
    outcome: TurnOutcome
    seq: int


class HandDeath(msgspec.Struct, frozen=True):
    """Report to the listener that the turn has died with its agent."""

    turn: OpenTurn
    seen: bool


TurnAction = SendDown | HandSent | HandEvents | HandEnd | HandDeath


class TurnTable(msgspec.Struct):
    """All open turns. ``dropped`` counts by reason what was not passed on."""

    by_run: dict[str, OpenTurn] = msgspec.field(default_factory=dict)
    dropped: Counter[str] = msgspec.field(default_factory=lambda: _none_of(REASONS))
    complete: bool = False  # every turn that an earlier gateway had is known, awaited, or over
    _by_name: dict[str, OpenTurn] = msgspec.field(default_factory=dict)
    _awaited: dict[str, SendDown | None] = msgspec.field(default_factory=dict)  # with what ends it
    _present: dict[str, int] = msgspec.field(default_factory=dict)  # incarnations that are welcome
    _past: dict[str, None] = msgspec.field(default_factory=dict)
    _due: list[tuple[int, str]] = msgspec.field(default_factory=list)

    def incarnation_of(self, agent: str) -> int:
        """Return the incarnation of an agent that can take turns, 0 for none."""
        return self._present.get(agent, 0)

    def next_due(self) -> int | None:
        """Return when to call ``expire``; ``None``: after the next turn is added."""
        while self._due and self._due[0][1] not in self._by_name:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def move(self, ms: int) -> None:
        """Move all deadlines by so many milliseconds, because the clock was set."""
        self._due = [(at + ms, name) for at, name in self._due]
        for turn in self._by_name.values():
            turn.deadline += ms
            turn.cancel_at += ms if turn.cancel_at else 0

    def add(self, turn: OpenTurn) -> list[TurnAction]:
        """Add a turn, new or resumed; raises ``ValueError`` if its run has one already."""
        if turn.run in self.by_run:
            raise ValueError(f"the run {turn.run} has a turn already")
        self._awaited.pop(turn.name, None)
        self.by_run[turn.run] = self._by_name[turn.name] = turn
        heapq.heappush(self._due, (turn.deadline, turn.name))
        present = self._present.get(turn.agent)
        return [] if present is None else self._send_to(turn, present)

    def complete_with(self, awaited: Iterable[str]) -> None:
        """Declare the table complete: all turns of earlier gateways are in it or over.

        Except those named in ``awaited``, which may still be begun.
        """
        self.complete = True
        self._awaited = dict.fromkeys(each for each in awaited if each not in self._by_name)

    def release(self, name: str) -> list[TurnAction]:
        """Remove a turn from the awaited ones: it will not be begun."""
        end = self._awaited.pop(name, None)
        return [] if end is None else [end]

    def on_welcome(self, agent: str, incarnation: int) -> list[TurnAction]:
        """Handle the welcome of an incarnation: frames sent to it before may be lost."""
        if incarnation < self._present.get(agent, 0):
            return []
        self._present[agent] = incarnation
        return [
            action
            for turn in list(self.by_run.values())
            if turn.agent == agent
            for action in self._send_to(turn, incarnation)
        ]

    def on_agent_end(self, agent: str, incarnation: int) -> list[TurnAction]:
        """Handle the end of an incarnation: its turns have died with it."""
        if self._present.get(agent) == incarnation:
            del self._present[agent]
        return [
            action
            for turn in list(self.by_run.values())
            if turn.agent == agent and turn.incarnation == incarnation
            for action in self._on_death(turn)
        ]

    def on_disconnect(self, agent: str) -> None:
        """Handle that an agent cannot be reached for now; it still has its turns."""
        self._present.pop(agent, None)

    def adopt(self, agent: str, incarnation: int, names: Collection[str]) -> dict[str, int]:
        """Assign to an incarnation those turns of an earlier one that it says it has.

        Return the newest stored number of each that it has indeed.
        """
        found = {}
        for turn in self.by_run.values():
            if turn.agent == agent and turn.name in names and turn.incarnation:
                turn.incarnation, turn.taken = incarnation, True
                found[turn.name] = turn.stored
        return found

    def find(self, name: str) -> OpenTurn | None:
        """Return the open turn with this name, or ``None``."""
        return self._by_name.get(name)

    def receive(self, agent: str, incarnation: int, frame: TurnFrameUp) -> list[TurnAction]:
        """Handle a frame of an agent."""
        turn = self._by_name.get(frame.turn)
        if turn is None or turn.agent != agent:
            return self._receive_unknown(agent, incarnation, frame)
        if turn.incarnation != incarnation:
            self.dropped["stale"] += 1
            return []
        if isinstance(frame, TurnTaken):
            if frame.acked > turn.got:  # an earlier gateway has stored more than we know of
                turn.got, turn.seen = frame.acked, True
        elif _first(frame) > turn.got + 1:  # it has not read yet from where on we need it
            self.dropped["gap"] += len(frame.payloads) if isinstance(frame, TurnEvents) else 1
            return []
        turn.taken, turn.payload = True, b""
        match frame:
            case TurnTaken():
                return []
            case TurnEvents():
                return self._on_events(turn, frame)
            case TurnEnded():
                return self._on_turn_end(turn, frame)

    def acknowledge(self, run: str, seq: int, attempt: int | None = None) -> list[TurnAction]:
        """Acknowledge what is stored up to ``seq``; the end of a turn closes it.

        What is stored of an earlier ``attempt`` acknowledges nothing of this one.
        """
        turn = self.by_run.get(run)
        if turn is None or seq <= turn.stored or attempt not in (None, turn.attempt):
            return []
        turn.stored = min(seq, turn.got)
        turn.seen = turn.seen or 0 < turn.shown <= turn.stored
        if turn.ended and turn.stored == turn.got:
            self._close(turn)
        return [self._down(turn, TurnAck(turn.name, turn.stored))]

    def cancel(self, run: str, now: int) -> list[TurnAction]:
        """Cancel a turn; one that no agent has is over at once."""
        turn = self.by_run.get(run)
        if turn is None or turn.ended or turn.cancel_at:
            return []
        if not turn.incarnation:
            return self._give_up(turn, "aborted")
        turn.cancel_at = now + CANCEL_MS
        heapq.heappush(self._due, (turn.cancel_at, turn.name))
        return [self._down(turn, TurnCancel(turn.name))]

    def expire(self, now: int) -> list[TurnAction]:
        """End the turns whose deadline or cancellation is overdue at ``now``."""
        actions: list[TurnAction] = []
        while self._due and self._due[0][0] <= now:
            _, name = heapq.heappop(self._due)
            turn = self._by_name.get(name)
            if turn is None or turn.ended:
                continue
            if turn.cancel_at and turn.cancel_at <= now:
                actions += self._give_up(turn, "aborted")
            elif now >= turn.deadline + (GRACE_MS if turn.incarnation else 0):
                actions += self._give_up(turn, "timeout")
            else:
                heapq.heappush(self._due, (turn.deadline + GRACE_MS, name))
        return actions

    def _send_to(self, turn: OpenTurn, incarnation: int) -> list[TurnAction]:
        if turn.ended or incarnation < turn.incarnation:
            return []
        actions: list[TurnAction] = []
        if not turn.incarnation:
            turn.incarnation = incarnation
            actions.append(HandSent(turn, incarnation))
        elif turn.incarnation != incarnation:
            return self._on_death(turn)
        if not turn.taken:
            actions.append(self._down(turn, TurnBegin(turn.name, turn.payload, turn.got)))
        if turn.stored:  # that was perhaps lost
            actions.append(self._down(turn, TurnAck(turn.name, turn.stored)))
        if turn.cancel_at:
            actions.append(self._down(turn, TurnCancel(turn.name)))
        return actions

    def _on_death(self, turn: OpenTurn) -> list[TurnAction]:
        self._close(turn)
        if turn.ended:
            return []  # handed on already: all that is missing is that it is stored
        if turn.cancel_at:
            return [HandEnd(turn, TurnOutcome("aborted"), 0)]
        return [HandDeath(turn, turn.seen)]

    def _give_up(self, turn: OpenTurn, state: str) -> list[TurnAction]:
        """End a turn without waiting for its agent."""
        self._close(turn)
        outcome = TurnOutcome("aborted" if state == "aborted" else "timeout")
        actions: list[TurnAction] = [HandEnd(turn, outcome, 0)]
        if turn.incarnation:
            actions.insert(0, self._down(turn, TurnCancel(turn.name)))
        return actions

    def _close(self, turn: OpenTurn) -> None:
        del self.by_run[turn.run], self._by_name[turn.name]
        self._past[turn.name] = None
        if len(self._past) > PAST:
            del self._past[next(iter(self._past))]
        if len(self._due) > 2 * len(self._by_name) + SPARE:  # deadlines may be far away
            self._due = [each for each in self._due if each[1] in self._by_name]
            heapq.heapify(self._due)

    def _on_events(self, turn: OpenTurn, frame: TurnEvents) -> list[TurnAction]:
        known = turn.got + 1 - frame.first
        self.dropped["repeated"] += min(known, len(frame.payloads))
        if turn.ended or known >= len(frame.payloads):
            stored = frame.first <= turn.stored
            return [self._down(turn, TurnAck(turn.name, turn.stored))] if stored else []
        events: list[TurnEvent] = []
        for payload in frame.payloads[known:]:
            turn.got += 1
            event = self._decode(payload)
            if event is None:
                continue
            events.append(event)
            if not turn.shown and isinstance(event, Delta | ToolCall):
                turn.shown = turn.got
        return [HandEvents(turn, events, turn.got)]

    def _decode(self, payload: bytes) -> TurnEvent | None:
        try:
            require_shallow(payload)
            event: TurnEvent = _event(payload)
        except MALFORMED:
            self.dropped["malformed"] += 1
            return None
        return event

    def _on_turn_end(self, turn: OpenTurn, frame: TurnEnded) -> list[TurnAction]:
        if turn.ended or frame.seq <= turn.got:
            self.dropped["repeated"] += 1
            return []
        turn.got, turn.ended = frame.seq, True
        try:
            require_shallow(frame.payload)
            outcome = _outcome(frame.payload)
        except MALFORMED as error:
            self.dropped["malformed"] += 1
            outcome = TurnOutcome("error", kind="failed", error=f"a malformed end: {error}")
        return [HandEnd(turn, outcome, frame.seq)]

    def _receive_unknown(
        self, agent: str, incarnation: int, frame: TurnFrameUp
    ) -> list[TurnAction]:
        """Allow an agent to drop a turn that is over, unless it may still be resumed."""
        self.dropped["unknown"] += 1
        if not self.complete and frame.turn not in self._past:
            return []
        end: TurnAck | TurnCancel = TurnCancel(frame.turn)
        if isinstance(frame, TurnEnded):
            end = TurnAck(frame.turn, frame.seq)
        if frame.turn in self._awaited:
            self._awaited[frame.turn] = SendDown(agent, incarnation, end)
            return []
        return [SendDown(agent, incarnation, end)]

    def _down(self, turn: OpenTurn, frame: TurnFrameDown) -> SendDown:
        return SendDown(turn.agent, turn.incarnation, frame)


def _first(frame: TurnEvents | TurnEnded) -> int:
    return frame.first if isinstance(frame, TurnEvents) else frame.seq
