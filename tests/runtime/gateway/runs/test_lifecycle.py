"""The life of a run: a table of its rules, and what holds whatever happens in whatever order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from runtime.gateway.runs import lifecycle
from runtime.gateway.runs.lifecycle import (
    Abort,
    Acknowledge,
    AgentDied,
    AgentGone,
    AgentReady,
    Begin,
    CancelTurn,
    End,
    EndStored,
    Expire,
    Progress,
    Repeat,
    RunAction,
    RunEvent,
    RunLife,
    RunPhase,
    Seen,
    SeenStored,
    SendTurn,
    Settle,
    StoreSeen,
    Timer,
    TurnOver,
    WakeAt,
    step,
)

DEADLINE = 60_000
LATE = DEADLINE + lifecycle.GRACE_MS
WAITING = RunLife(RunPhase.WAITING, deadline=DEADLINE)
RUNNING = RunLife(RunPhase.RUNNING, incarnation=7, deadline=DEADLINE)
SHOWN = RunLife(RunPhase.RUNNING, incarnation=7, seen=Seen.YES, deadline=DEADLINE)
TIRED = RunLife(RunPhase.RUNNING, incarnation=7, deaths=2, deadline=DEADLINE)
RETRIED = RunLife(RunPhase.RUNNING, incarnation=7, retried=True, deadline=DEADLINE)


def failed(kind: str, retry_after: float | None = None) -> TurnOver:
    """An error of the agent at 1 s."""
    return TurnOver("error", 1000, kind, retry_after)


ROWS: list[tuple[RunLife, RunEvent, Repeat, RunPhase, list[Any]]] = [
    (RunLife(), Begin(0, DEADLINE, 7), "unseen", RunPhase.RUNNING, [SendTurn(7), WakeAt(LATE)]),
    (RunLife(), Begin(0, DEADLINE), "unseen", RunPhase.WAITING, [WakeAt(DEADLINE)]),
    (RunLife(), Expire(), "unseen", RunPhase.ENDING, [End("expired")]),
    (RunLife(), Abort(), "unseen", RunPhase.ENDING, [End("aborted")]),
    (RunLife(), AgentGone(), "unseen", RunPhase.QUEUED, []),
    (WAITING, AgentReady(8, 5), "unseen", RunPhase.RUNNING, [SendTurn(8), WakeAt(LATE)]),
    (RunLife(), AgentReady(7, 5), "unseen", RunPhase.QUEUED, []),
    (RunLife(), Timer(LATE), "unseen", RunPhase.QUEUED, []),
    (WAITING, Begin(0, DEADLINE, 7), "unseen", RunPhase.WAITING, []),
    (
        WAITING,
        AgentReady(8, DEADLINE - 1),
        "unseen",
        RunPhase.RUNNING,
        [SendTurn(8), WakeAt(LATE)],
    ),
    (WAITING, AgentReady(8, DEADLINE), "unseen", RunPhase.ENDING, [End("timeout")]),
    (WAITING, Progress(), "unseen", RunPhase.WAITING, []),
    (WAITING, TurnOver("final", 9), "unseen", RunPhase.WAITING, []),
    (WAITING, AgentDied(0), "unseen", RunPhase.WAITING, []),
    (WAITING, AgentGone(), "unseen", RunPhase.ENDING, [End("error", "unavailable")]),
    (RUNNING, AgentGone(), "unseen", RunPhase.ENDING, [CancelTurn(7), End("error", "unavailable")]),
    (WAITING, Timer(DEADLINE), "unseen", RunPhase.ENDING, [End("error", "unavailable")]),
    (RUNNING, Progress(), "unseen", RunPhase.RUNNING, [StoreSeen()]),
    (SHOWN, Progress(), "unseen", RunPhase.RUNNING, [Acknowledge()]),
    (RUNNING, TurnOver("final", 9), "unseen", RunPhase.ENDING, [End("final")]),
    (RUNNING, TurnOver("timeout", 9), "unseen", RunPhase.ENDING, [End("timeout")]),
    (RUNNING, Abort(), "unseen", RunPhase.ENDING, [CancelTurn(7), End("aborted")]),
    (RUNNING, Timer(LATE), "unseen", RunPhase.ENDING, [CancelTurn(7), End("timeout")]),
    (RUNNING, Timer(LATE - 1), "unseen", RunPhase.RUNNING, [WakeAt(LATE)]),
    # The same incarnation goes on with a turn, for a new gateway say; another one has not got it.
    (RUNNING, AgentReady(7, 5), "never", RunPhase.RUNNING, [SendTurn(7, anew=False), WakeAt(LATE)]),
    (RUNNING, AgentReady(8, 5), "unseen", RunPhase.RUNNING, [SendTurn(8), WakeAt(LATE)]),
    (SHOWN, AgentReady(8, 5), "unseen", RunPhase.ENDING, [End("error", "died")]),
    # Its death.
    (RUNNING, AgentDied(7), "unseen", RunPhase.WAITING, [WakeAt(DEADLINE)]),
    (RUNNING, AgentDied(6), "unseen", RunPhase.RUNNING, []),
    (RUNNING, AgentDied(7), "never", RunPhase.ENDING, [End("error", "died")]),
    (SHOWN, AgentDied(7), "unseen", RunPhase.ENDING, [End("error", "died")]),
    (SHOWN, AgentDied(7), "always", RunPhase.WAITING, [WakeAt(DEADLINE)]),
    (TIRED, AgentDied(7), "always", RunPhase.ENDING, [End("error", "died")]),
    (TIRED, AgentReady(8, 5), "always", RunPhase.ENDING, [End("error", "died")]),
    (TIRED, TurnOver("aborted", 9), "always", RunPhase.ENDING, [End("error", "died")]),
    # It was stored too late that something had come: the worker is not there any more.
    (replace(WAITING, seen=Seen.STORING), SeenStored(), "always", RunPhase.WAITING, []),
    (WAITING, SeenStored(), "always", RunPhase.WAITING, []),
    # Its errors.
    (RUNNING, failed("refused"), "unseen", RunPhase.ENDING, [End("error", "refused")]),
    (RUNNING, failed(""), "unseen", RunPhase.ENDING, [End("error", "failed")]),
    (RUNNING, failed("transient"), "unseen", RunPhase.WAITING, [WakeAt(2000)]),
    (RUNNING, failed("transient"), "never", RunPhase.ENDING, [End("error", "transient")]),
    (RETRIED, failed("transient"), "unseen", RunPhase.ENDING, [End("error", "transient")]),
    (SHOWN, failed("transient"), "unseen", RunPhase.ENDING, [End("error", "transient")]),
    (RUNNING, failed("rate_limited", 3), "unseen", RunPhase.WAITING, [WakeAt(4000)]),
    (RETRIED, failed("rate_limited", 3), "unseen", RunPhase.WAITING, [WakeAt(4000)]),
    (RUNNING, failed("rate_limited", 58.999), "unseen", RunPhase.WAITING, [WakeAt(59_999)]),
    (
        RUNNING,
        failed("rate_limited", 59),
        "unseen",
        RunPhase.ENDING,
        [End("error", "rate_limited")],
    ),
    (RUNNING, failed("refused", 3), "unseen", RunPhase.ENDING, [End("error", "refused")]),
    (RETRIED, failed("transient", 3), "unseen", RunPhase.ENDING, [End("error", "transient")]),
    (RETRIED, failed("rate_limited"), "unseen", RunPhase.ENDING, [End("error", "rate_limited")]),
    (
        RUNNING,
        failed("rate_limited", 120),
        "unseen",
        RunPhase.ENDING,
        [End("error", "rate_limited")],
    ),
    (RUNNING, TurnOver("aborted", 1000), "unseen", RunPhase.WAITING, [WakeAt(2000)]),
    (SHOWN, TurnOver("aborted", 1000), "unseen", RunPhase.ENDING, [End("error", "died")]),
]


@pytest.mark.parametrize(("state", "event", "repeat", "phase", "actions"), ROWS)
def test_a_run_follows_the_table(
    state: RunLife, event: RunEvent, repeat: Repeat, phase: RunPhase, actions: list[RunAction]
) -> None:
    after, done = step(state, event, repeat)
    assert (after.phase, done) == (phase, actions)


@pytest.mark.parametrize(
    ("state", "event", "changes"),
    [
        (
            RunLife(),
            Begin(0, DEADLINE, 7),
            {"phase": RunPhase.RUNNING, "incarnation": 7, "deadline": DEADLINE},
        ),
        (RunLife(), Begin(0, DEADLINE), {"phase": RunPhase.WAITING, "deadline": DEADLINE}),
        (WAITING, AgentReady(8, 5), {"phase": RunPhase.RUNNING, "incarnation": 8}),
        (WAITING, Timer(5, 8), {"phase": RunPhase.RUNNING, "incarnation": 8}),
        (RUNNING, AgentReady(7, 5), {}),
        (RUNNING, AgentReady(8, 5), {"incarnation": 8, "deaths": 1}),
        (RUNNING, AgentDied(7), {"phase": RunPhase.WAITING, "deaths": 1}),
        (RUNNING, Progress(), {"seen": Seen.STORING}),
        (
            RUNNING,
            failed("transient"),
            {"phase": RunPhase.WAITING, "retried": True, "after": 2000},
        ),
        (
            RUNNING,
            failed("rate_limited", 3),
            {"phase": RunPhase.WAITING, "retried": True, "after": 4000},
        ),
        (
            RUNNING,
            TurnOver("aborted", 1000),
            {"phase": RunPhase.WAITING, "deaths": 1, "after": 2000},
        ),
    ],
)
def test_a_run_remembers_what_later_decisions_need(
    state: RunLife, event: RunEvent, changes: dict[str, Any]
) -> None:
    assert step(state, event)[0] == replace(state, **changes)


@pytest.mark.parametrize(
    ("phase", "event", "after", "actions"),
    [
        (RunPhase.ENDING, EndStored(), RunPhase.ENDED, [Settle()]),
        (RunPhase.ENDING, Abort(), RunPhase.ENDING, []),
        (RunPhase.ENDED, EndStored(), RunPhase.ENDED, []),
        (RunPhase.ENDED, Timer(LATE), RunPhase.ENDED, []),
    ],
)
def test_a_run_that_ends_waits_for_its_record_alone(
    phase: RunPhase, event: RunEvent, after: RunPhase, actions: list[RunAction]
) -> None:
    state = replace(RUNNING, phase=phase)
    assert step(state, event) == (replace(state, phase=after), actions)


def test_nothing_is_acknowledged_before_it_is_stored_that_it_came() -> None:
    state, actions = step(RUNNING, Progress())
    assert actions == [StoreSeen()]
    state, actions = step(state, Progress())
    assert actions == []
    state, actions = step(state, SeenStored())
    assert (state.seen, actions) == (Seen.YES, [Acknowledge()])


def test_a_turn_is_not_sent_again_before_its_time() -> None:
    state, _ = step(RUNNING, failed("rate_limited", 3))
    state, actions = step(state, AgentReady(7, 2000))
    assert (state.phase, actions) == (RunPhase.WAITING, [])
    state, actions = step(state, Timer(3999, 7))
    assert actions == [WakeAt(4000)]
    state, actions = step(state, Timer(4000, 7))
    assert (state.phase, actions[0]) == (RunPhase.RUNNING, SendTurn(7))


def test_a_turn_whose_agent_is_away_at_its_time_waits_for_it() -> None:
    state, _ = step(RUNNING, failed("transient"))
    state, actions = step(state, Timer(2000))
    assert (state.phase, actions) == (RunPhase.WAITING, [WakeAt(DEADLINE)])
    state, actions = step(state, AgentReady(8, 3000))
    assert actions[0] == SendTurn(8)


def some_event(dice: random.Random, now: int) -> RunEvent:
    """Any event, likely or not."""
    incarnation = dice.choice([7, 7, 7, 8, 9])
    kind = dice.choice(["transient", "rate_limited", "refused", "failed"])
    events: list[RunEvent] = [
        Begin(now, DEADLINE, dice.choice([0, 7])),
        AgentReady(incarnation, now),
        AgentDied(incarnation),
        AgentGone(),
        Progress(),
        Progress(),
        SeenStored(),
        TurnOver(dice.choice(["final", "error", "aborted", "timeout"]), now, kind),
        TurnOver("error", now, "rate_limited", dice.choice([0.5, 5.0])),
        Timer(now, dice.choice([0, 7, 8])),
        Abort(),
        Expire(),
        EndStored(),
    ]
    return dice.choice(events)


@pytest.mark.parametrize("repeat", ["unseen", "always", "never"])
def test_every_run_ends_once_whatever_happens(repeat: Repeat) -> None:
    """500 lives of events in any order, and then only the gateway's own clock."""
    for seed in range(500):
        dice = random.Random(seed)
        state, now, ends, settled = RunLife(), 0, 0, 0
        shown = False
        events: list[RunEvent] = []
        for number in range(40):
            now += dice.randrange(3000)
            events.append(some_event(dice, now) if number else Begin(now, DEADLINE, 7))
        events += [Begin(now, DEADLINE), Timer(LATE), Timer(LATE + now), EndStored()]
        for event in events:
            state, actions = step(state, event, repeat)
            for action in actions:
                if isinstance(action, SendTurn):
                    assert state.phase is RunPhase.RUNNING
                    assert not (action.anew and shown) or repeat == "always"
                shown |= isinstance(action, StoreSeen)
                ends += isinstance(action, End)
                if isinstance(action, Settle):
                    settled += 1
                    assert ends == 1
                if isinstance(action, CancelTurn):
                    assert action.incarnation == state.incarnation
        assert (state.phase, ends, settled) == (RunPhase.ENDED, 1, 1), (seed, events)
