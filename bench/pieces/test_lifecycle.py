"""Steps of the lifecycle."""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import Event, Exit, Exited, Ready, Start, State, step
from runtime.supervisor.policy import Policy

POLICY = Policy()


def test_a_crash_and_its_recovery(benchmark: BenchmarkFixture) -> None:
    """Three steps: ready, exited, started again by an operator."""

    def life() -> State:
        state, _ = step(POLICY, State(), Start())
        for event in (Ready(state.incarnation), Exited(state.incarnation, Exit(code=1)), Start()):
            state, _ = step(POLICY, state, event)
        return state

    assert benchmark(life).phase is Phase.STARTING


def test_a_stale_event_is_ignored(benchmark: BenchmarkFixture) -> None:
    """One step: an event of an earlier incarnation."""
    state, _ = step(POLICY, State(), Start())
    stale: Event = Ready(state.incarnation + 7)
    assert benchmark(step, POLICY, state, stale)[0] == state
