"""Decides what becomes of one run: an agent's answer to one message, or to one request. Pure.

``step`` is a function from a state and an event to the next state and a list of actions. It
reads no clock and sends nothing. Whatever happens in whatever order, each run ends once: the end
is stored (``End``), and only once that is done the rest follows (``Settle``).

    QUEUED ─Begin→ WAITING ─AgentReady→ RUNNING ─TurnOver, deadline→  ENDING ─EndStored→ ENDED
                      ▲ │                  │ │
                      │ └─ deadline, Abort ┼─┼─────────────────────────▲
                      └── agent has died, or asks for a pause ─┘

Times are epoch milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec
from msgspec.structs import replace

RunEnd = Literal["final", "aborted", "error", "timeout", "expired"]
Repeat = Literal["unseen", "always", "never"]

GRACE_MS = 2_000  # the worker ends a turn at its deadline; after so much more the gateway does
AGAIN_MS = 1_000  # until a turn is tried again whose agent has named no time
MAX_DEATHS = 3  # of an agent with one turn: then it is the turn that kills it

PASSING = frozenset({"transient", "rate_limited"})  # errors that pass by themselves
DIED, UNAVAILABLE = "died", "unavailable"  # kinds of errors that no agent reports


class RunPhase(StrEnum):
    """How far a run has come."""

    QUEUED = "queued"  # other runs of its session go first
    WAITING = "waiting"  # for its agent, or for a time
    RUNNING = "running"  # an incarnation of the agent has the turn
    ENDING = "ending"  # its end is being stored
    ENDED = "ended"


class Seen(StrEnum):
    """Whether anything of the turn has left the agent for good: a delta, or the call of a tool."""

    NO = "no"
    STORING = "storing"
    YES = "yes"


class RunLife(msgspec.Struct, frozen=True):
    """A run, as far as decisions go.

    ``incarnation`` is that of the agent which has the turn, or had it last; ``deaths`` counts
    those that have died with it. ``retried``: an error that passes has been tried again once.
    While WAITING nothing is sent before ``after``. ``deadline``: 0 before it has begun.
    """

    phase: RunPhase = RunPhase.QUEUED
    incarnation: int = 0
    seen: Seen = Seen.NO
    retried: bool = False
    deaths: int = 0
    deadline: int = 0
    after: int = 0


class Begin(msgspec.Struct, frozen=True):
    """It is the run's turn in its session. ``incarnation`` is its agent's; 0: none is there."""

    now: int
    deadline: int
    incarnation: int = 0


class AgentReady(msgspec.Struct, frozen=True):
    """An incarnation of the agent can take turns."""

    incarnation: int
    now: int


class AgentDied(msgspec.Struct, frozen=True):
    """An incarnation of the agent has ended."""

    incarnation: int


class AgentGone(msgspec.Struct, frozen=True):
    """The agent will not start by itself: it is held, disabled, misconfigured, or removed."""


class Progress(msgspec.Struct, frozen=True):
    """A delta or the call of a tool has come."""


class SeenStored(msgspec.Struct, frozen=True):
    """It is stored that something has come."""


class TurnOver(msgspec.Struct, frozen=True):
    """The agent has ended the turn. ``kind`` is that of an error, ``retry_after`` in seconds."""

    state: Literal["final", "error", "aborted", "timeout"]
    now: int
    kind: str = ""
    retry_after: float | None = None


class Abort(msgspec.Struct, frozen=True):
    """The run is not wanted any more."""


class Expire(msgspec.Struct, frozen=True):
    """The message has waited for too long to be answered still."""


class Timer(msgspec.Struct, frozen=True):
    """A time has come that ``WakeAt`` had named."""

    now: int
    incarnation: int = 0


class EndStored(msgspec.Struct, frozen=True):
    """The end is stored."""


RunEvent = (
    Begin
    | AgentReady
    | AgentDied
    | AgentGone
    | Progress
    | SeenStored
    | TurnOver
    | Abort
    | Expire
    | Timer
    | EndStored
)


class SendTurn(msgspec.Struct, frozen=True):
    """Send the turn to an incarnation of the agent. ``anew``: it does not hold the turn."""

    incarnation: int
    anew: bool = True


class StoreSeen(msgspec.Struct, frozen=True):
    """Store that something has come; ``SeenStored`` must follow."""


class Acknowledge(msgspec.Struct, frozen=True):
    """Acknowledge to the agent what has come."""


class CancelTurn(msgspec.Struct, frozen=True):
    """Request an incarnation of the agent to cancel the turn."""

    incarnation: int


class WakeAt(msgspec.Struct, frozen=True):
    """Send ``Timer`` at a time."""

    at: int


class End(msgspec.Struct, frozen=True):
    """Store the end, with the answer; ``kind`` is that of an error. ``EndStored`` must follow."""

    state: RunEnd
    kind: str = ""


class Settle(msgspec.Struct, frozen=True):
    """The end is stored: acknowledge it to the agent, send the answer, let the next run begin."""


RunAction = SendTurn | StoreSeen | Acknowledge | CancelTurn | WakeAt | End | Settle

Step = tuple[RunLife, list[RunAction]]

OVER = (RunPhase.ENDING, RunPhase.ENDED)


def step(state: RunLife, event: RunEvent, repeat: Repeat = "unseen") -> Step:
    """Return the next state of a run, and what to do; what means nothing changes nothing."""
    if state.phase in OVER:
        if state.phase is RunPhase.ENDING and isinstance(event, EndStored):
            return replace(state, phase=RunPhase.ENDED), [Settle()]
        return state, []
    match event:
        case Abort():
            return _end(state, End("aborted"))
        case Expire():
            return _end(state, End("expired"))
        case Begin():
            return _begin(state, event)
        case AgentGone() if state.phase is not RunPhase.QUEUED:
            return _end(state, End("error", UNAVAILABLE))
        case AgentReady() if state.phase is RunPhase.WAITING:
            return _try_turn(state, event.incarnation, event.now)
        case AgentReady() if state.phase is RunPhase.RUNNING:
            return _on_agent_ready(state, event, repeat)
        case AgentDied() if _has_turn(state, event.incarnation):
            return _on_agent_death(state, repeat)
        case Progress() if state.phase is RunPhase.RUNNING:
            return _on_progress(state)
        case SeenStored() if state.seen is Seen.STORING:
            running = state.phase is RunPhase.RUNNING
            return replace(state, seen=Seen.YES), [Acknowledge()] if running else []
        case TurnOver() if state.phase is RunPhase.RUNNING:
            return _on_turn_over(state, event, repeat)
        case Timer() if state.phase is not RunPhase.QUEUED:
            return _on_timer(state, event)
    return state, []


def _has_turn(state: RunLife, incarnation: int) -> bool:
    return state.phase is RunPhase.RUNNING and state.incarnation == incarnation


def _end(state: RunLife, end: End) -> Step:
    actions: list[RunAction] = []
    if state.phase is RunPhase.RUNNING:
        actions.append(CancelTurn(state.incarnation))
    return replace(state, phase=RunPhase.ENDING), [*actions, end]


def _begin(state: RunLife, event: Begin) -> Step:
    if state.phase is not RunPhase.QUEUED:
        return state, []
    state = replace(state, phase=RunPhase.WAITING, deadline=event.deadline)
    if event.incarnation:
        return _try_turn(state, event.incarnation, event.now)
    return state, [WakeAt(state.deadline)]


def _try_turn(state: RunLife, incarnation: int, now: int) -> Step:
    """Send the turn, unless its time has not come yet, or is over."""
    if now >= state.deadline:
        return _end(state, End("timeout"))
    if now < state.after:
        return state, []
    state = replace(state, phase=RunPhase.RUNNING, incarnation=incarnation)
    return state, [SendTurn(incarnation), WakeAt(state.deadline + GRACE_MS)]


def _on_agent_ready(state: RunLife, event: AgentReady, repeat: Repeat) -> Step:
    """Resume the turn if this incarnation has it; another one means that the former has died."""
    if event.incarnation == state.incarnation:
        wake = WakeAt(state.deadline + GRACE_MS)
        return state, [SendTurn(event.incarnation, anew=False), wake]
    state, actions = _on_agent_death(state, repeat)
    if state.phase is not RunPhase.WAITING:
        return state, actions
    return _try_turn(state, event.incarnation, event.now)


def _on_agent_death(state: RunLife, repeat: Repeat) -> Step:
    state = replace(state, phase=RunPhase.WAITING, deaths=state.deaths + 1)
    if state.deaths >= MAX_DEATHS or not _may_repeat(state, repeat):
        return _end(state, End("error", DIED))
    return state, [WakeAt(state.deadline)]


def _may_repeat(state: RunLife, repeat: Repeat) -> bool:
    return repeat == "always" or (repeat == "unseen" and state.seen is Seen.NO)


def _on_progress(state: RunLife) -> Step:
    if state.seen is Seen.NO:
        return replace(state, seen=Seen.STORING), [StoreSeen()]
    return state, [Acknowledge()] if state.seen is Seen.YES else []


def _on_turn_over(state: RunLife, event: TurnOver, repeat: Repeat) -> Step:
    state = replace(state, phase=RunPhase.WAITING)  # the agent has the turn no more
    if event.state in ("final", "timeout"):
        return _end(state, End(event.state))
    wait = AGAIN_MS if event.retry_after is None else round(event.retry_after * 1000)
    after = event.now + wait
    if event.state == "aborted":  # not by us: the agent is stopping
        state, kind = replace(state, deaths=state.deaths + 1), DIED
        once_more = state.deaths < MAX_DEATHS
    else:
        kind = event.kind or "failed"
        may_wait = kind == "rate_limited" and event.retry_after is not None
        once_more = may_wait or (kind in PASSING and not state.retried)
        state = replace(state, retried=True)
    if not once_more or not _may_repeat(state, repeat) or after >= state.deadline:
        return _end(state, End("error", kind))
    return replace(state, after=after), [WakeAt(after)]


def _on_timer(state: RunLife, event: Timer) -> Step:
    if state.phase is RunPhase.RUNNING:
        if event.now >= state.deadline + GRACE_MS:
            return _end(state, End("timeout"))
        return state, [WakeAt(state.deadline + GRACE_MS)]
    if event.now >= state.deadline:
        return _end(state, End("error", UNAVAILABLE))
    if event.now >= state.after and event.incarnation:
        return _try_turn(state, event.incarnation, event.now)
    return state, [WakeAt(state.after if event.now < state.after else state.deadline)]
