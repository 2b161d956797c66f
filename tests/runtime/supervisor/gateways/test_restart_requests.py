"""Scenarios 36 to 42, 45, 49: no restart that a person asks for is refused, none runs twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.frames.words import Phase
from runtime.supervisor.gateways.restart_requests import GAP, Outcome, RestartAnswer, Restarts
from runtime.supervisor.lifecycle import RESTART, State

RUNNING = State(phase=Phase.RUNNING, wanted=True)
STARTING = State(phase=Phase.STARTING, wanted=True)
RETURNING = State(phase=Phase.STOPPING, wanted=True, cause=RESTART)
NOW = RestartAnswer(Outcome.NOW)


def done(restarts: Restarts, at: float) -> None:
    """Let a restart that has begun come to its end."""
    restarts.on_phase(Phase.STOPPING, at)
    restarts.on_starting()
    restarts.on_phase(Phase.STARTING, at)
    restarts.on_spawned()
    restarts.on_phase(Phase.RUNNING, at)


def test_36_requests_during_a_start_become_one_restart_after_it() -> None:
    restarts = Restarts()
    restarts.on_starting()
    restarts.on_spawned()
    assert [restarts.request(STARTING, 1.0) for _ in range(3)] == [
        RestartAnswer(Outcome.DEFERRED, None)
    ] * 3
    assert (restarts.deferred, restarts.coalesced) == (1, 2)
    assert restarts.on_phase(Phase.RUNNING, 2.0) == 0.0


def test_37_a_deferred_restart_is_dropped_by_a_stop() -> None:
    restarts = Restarts()
    restarts.request(STARTING, 1.0)
    assert restarts.pending
    assert restarts.on_phase(Phase.STOPPED, 2.0) is None
    assert not restarts.pending
    assert restarts.on_phase(Phase.RUNNING, 3.0) is None


def test_39_a_request_after_the_spawn_gets_a_restart_of_its_own() -> None:
    restarts = Restarts()
    assert restarts.request(RUNNING, 0.0) == NOW
    restarts.on_phase(Phase.STOPPING, 0.1)
    restarts.on_starting()
    restarts.on_phase(Phase.STARTING, 0.2)
    restarts.on_spawned()
    assert restarts.request(STARTING, 0.3).outcome is Outcome.DEFERRED
    assert restarts.on_phase(Phase.RUNNING, 0.5) == GAP


def test_40_a_request_before_the_spawn_joins() -> None:
    restarts = Restarts()
    assert restarts.request(RUNNING, 0.0) == NOW
    assert restarts.request(RUNNING, 0.0).outcome is Outcome.JOINED, "the child has not moved yet"
    restarts.on_phase(Phase.STOPPING, 0.1)
    assert restarts.request(RETURNING, 0.2).outcome is Outcome.JOINED
    restarts.on_starting()
    assert restarts.request(STARTING, 0.3).outcome is Outcome.JOINED
    restarts.on_spawned()
    assert restarts.on_phase(Phase.RUNNING, 0.5) is None
    assert (restarts.executed, restarts.coalesced) == (1, 3)


@pytest.mark.parametrize(
    "state",
    [
        State(phase=Phase.STOPPING, wanted=True, cause="unhealthy"),
        State(phase=Phase.STOPPING, wanted=False, cause=RESTART),
        State(phase=Phase.RUNNING, wanted=True, cause=RESTART),
    ],
    ids=["ended as unhealthy", "stopped meanwhile", "runs again"],
)
def test_only_a_restart_that_is_on_its_way_is_joined(state: State) -> None:
    restarts = Restarts()
    assert not restarts.is_starting(state)
    assert restarts.is_starting(RETURNING)
    assert restarts.request(state, 0.0) == NOW


def test_41_within_the_gap_it_follows_and_the_caller_is_told_when() -> None:
    restarts = Restarts()
    restarts.request(RUNNING, 0.0)
    done(restarts, 1.0)
    answer = restarts.request(RUNNING, 2.0)
    assert answer == RestartAnswer(Outcome.DEFERRED, GAP - 1.0)
    assert restarts.request(RUNNING, 2.5).outcome is Outcome.DEFERRED
    restarts.on_restart()
    done(restarts, 4.0)
    assert (restarts.executed, restarts.deferred, restarts.coalesced) == (2, 1, 1)
    assert restarts.request(RUNNING, 5.0).outcome is Outcome.DEFERRED
    assert restarts.deferred == 2


def test_42_unlimited_restarts_are_allowed_when_the_gap_is_over() -> None:
    restarts = Restarts()
    for number in range(100):
        assert restarts.request(RUNNING, number * 10.0) == NOW
        done(restarts, number * 10.0 + 1.0)


def test_49_a_crash_looping_child_is_restarted_at_once() -> None:
    restarts = Restarts()
    for phase in (Phase.BACKOFF, Phase.FAILED, Phase.STOPPED):
        assert restarts.request(State(phase=phase, wanted=True, failures=7), 0.0) == NOW
        done(restarts, 0.0)


def test_a_deferred_restart_of_a_child_that_fails_meanwhile_is_done_at_once() -> None:
    restarts = Restarts()
    restarts.on_starting()
    restarts.on_spawned()
    restarts.request(STARTING, 0.0)
    assert restarts.on_phase(Phase.BACKOFF, 1.0) == 0.0


def test_the_gap_is_between_restarts_of_what_runs() -> None:
    restarts = Restarts()
    restarts.request(RUNNING, 0.0)
    done(restarts, 1.0)
    assert restarts.request(RUNNING, 2.0).outcome is Outcome.DEFERRED
    assert restarts.on_phase(Phase.RUNNING, 2.5) == GAP - 1.5
    assert restarts.on_phase(Phase.BACKOFF, 2.5) == 0.0


@given(st.lists(st.floats(0, 5), max_size=30))
def test_48_whatever_is_asked_when_the_last_request_is_followed_by_a_spawn(
    gaps: list[float],
) -> None:
    restarts, now, spawned_at, asked_at = Restarts(), 0.0, -1.0, -1.0
    due: float | None = None
    for gap in [*gaps, 100.0]:
        now += gap
        if due is not None and due <= now:
            spawned_at, due = due, None
            restarts.on_restart()
            done(restarts, spawned_at)
        if gap == 100.0:
            break
        asked_at = now
        answer = restarts.request(RUNNING, now)
        if answer.outcome is Outcome.NOW:
            spawned_at = now
            done(restarts, now)
        else:
            assert answer.after is not None
            assert 0 < answer.after <= GAP + 1e-9
            due = due if due is not None else now + answer.after
    assert spawned_at >= asked_at
    assert restarts.asked == len(gaps)
    assert restarts.executed + restarts.coalesced >= len(gaps)
