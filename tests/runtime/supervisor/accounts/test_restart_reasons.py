"""Under which words an account's restarts are counted."""

from __future__ import annotations

import pytest

from ipc.frames.status import RESTART_REASONS
from ipc.frames.words import Phase
from runtime.supervisor import lifecycle
from runtime.supervisor.accounts.restart_reasons import RestartReasons
from runtime.supervisor.lifecycle import (
    CONFIGURATION,
    MEMORY,
    Deadline,
    Event,
    Exit,
    Exited,
    Ready,
    Restart,
    Start,
    State,
    Stop,
    Unhealthy,
    step,
)
from runtime.supervisor.policy import Policy

POLICY = Policy()
GONE = Exited(1, Exit(code=0))
UP: list[Event] = [Start(), Ready(1)]


def counted(*events: Event) -> dict[str, int]:
    """Play events of the first incarnation, and check that no restart goes uncounted."""
    state, reasons = State(), RestartReasons()
    for event in events:
        before = state
        state, _ = step(POLICY, before, event)
        if state != before:
            reasons.count(before, state, event)
    assert sum(reasons.counts.values()) == state.restarts
    return reasons.counts


def crash(how: Exit) -> list[Event]:
    return [*UP, Exited(1, how), Deadline(1, Phase.BACKOFF)]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (crash(Exit(code=1)), "exited"),
        (crash(Exit(code=1, said="failed")), "failed"),
        (crash(Exit(code=1, said="returned")), "returned"),
        (crash(Exit(code=75)), "transient"),
        (crash(Exit(signal=11)), "killed"),
        (crash(Exit(signal=9, oom=True)), "out_of_memory"),
        (crash(Exit()), "not_spawned"),
        (crash(Exit(code=255)), "unknown"),
        (crash(Exit(code=1, said="a word of its own")), "unknown"),
        ([Start(), Deadline(1, Phase.STARTING), GONE, Deadline(1, Phase.BACKOFF)], "not_ready"),
        ([*UP, Unhealthy(1, "silent"), GONE, Deadline(1, Phase.BACKOFF)], "unhealthy"),
        ([*UP, Restart(), GONE], "operator"),
        ([*UP, Restart(automatic=True, why=CONFIGURATION), GONE], "configuration"),
        ([*UP, Restart(automatic=True, why=MEMORY), GONE], "memory"),
        ([*UP, Restart(automatic=True, why=MEMORY), Restart(reason="asked for"), GONE], "operator"),
        ([*UP, Exited(1, Exit(code=1)), Start()], "operator"),
        ([*UP, Exited(1, Exit(code=1)), Start(automatic=True)], "exited"),
        (
            [*UP, Exited(1, Exit(code=78)), Restart(automatic=True, why=CONFIGURATION)],
            CONFIGURATION,
        ),
        ([*UP, Stop(), Start(), GONE], "operator"),
        ([*UP, Stop("disabled"), Start(automatic=True), GONE], "configuration"),
    ],
)
def test_each_restart_counts_under_its_reason(events: list[Event], reason: str) -> None:
    assert counted(*events) == {reason: 1}


def test_an_orderly_stop_and_a_start_count_as_none() -> None:
    assert counted(*UP, Stop(), GONE, Start()) == {}


def test_every_cause_that_leads_to_a_restart_has_its_word() -> None:
    words = {
        lifecycle.NOT_READY,
        lifecycle.UNHEALTHY,
        lifecycle.NOT_SPAWNED,
        lifecycle.KILLED,
        lifecycle.OUT_OF_MEMORY,
        lifecycle.OPERATOR,
        lifecycle.UNKNOWN,
        lifecycle.CONFIGURATION,
        lifecycle.MEMORY,
        lifecycle.EXITED,
        lifecycle.TRANSIENT,
        lifecycle.NEEDS_LOGIN,
        lifecycle.MISCONFIGURED,
        "failed",  # what a worker says of an exception, and of a `run` that returned
        "returned",
    }
    assert words == set(RESTART_REASONS)
    assert len(words) == len(RESTART_REASONS)
