"""Which runs begin together, and which wait."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from runtime.config.sessions import QueueConfig
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.runs.queues import RunQueues
from workers.messages import Sender

COLLECT = QueueConfig(debounce_ms=0)
FOLLOWUP = QueueConfig(mode="followup", debounce_ms=0)


def run(id: str, session: str = "s", to: str = "ada", **more: Any) -> Run:
    """A run of a message in the chat ``to``."""
    origin = RunOrigin("irc:libera", to, sender=to)
    request = RunRequest(f"text {id}", sender=Sender(to, to.title()))
    target = ReplyTarget("irc:libera", to)
    return Run(id, session, "echo", origin, target, request=request, **more)


def begun(queues: RunQueues, now: int = 0) -> list[list[str]]:
    """Return the ids of the runs that begin now, by turn."""
    return [[each.run for each in batch.messages] for batch in queues.begin_due(now)]


def test_one_turn_of_a_session_runs_and_what_waits_goes_together() -> None:
    queues = RunQueues(10)
    for name in ("1", "2", "3"):
        queues.add(run(name), COLLECT)
    other = run("4", "t")
    queues.add(other, COLLECT)
    assert begun(queues) == [["1", "2", "3"], ["4"]]
    queues.add(run("5"), COLLECT)
    assert (begun(queues), queues.depth("s")) == ([], 1)
    assert queues.why_waiting("s") == "an earlier turn of this session runs"
    queues.end(run("1"))
    assert begun(queues) == [["5"]]
    queues.end(other)
    assert queues.depth("t") == 0


def test_each_is_a_turn_where_that_is_configured_or_where_the_chat_is_another() -> None:
    queues = RunQueues(10)
    queues.add(run("1"), FOLLOWUP)
    queues.add(run("2"), FOLLOWUP)
    assert begun(queues) == [["1"]]
    queues = RunQueues(10)
    queues.add(run("1"), COLLECT)
    queues.add(run("2", to="bob"), COLLECT)
    queues.add(run("3", to="bob"), COLLECT)
    assert begun(queues) == [["1"]]  # one answer goes to one chat


def test_the_limit_holds_over_all_sessions() -> None:
    queues = RunQueues(2)
    for number in range(4):
        queues.add(run(str(number), f"s{number}"), COLLECT)
    assert begun(queues) == [["0"], ["1"]]
    queues.end(run("0", "s0"))
    assert begun(queues) == [["2"]]
    queues.configure(3, 3, {})
    assert begun(queues) == [["3"]]


def test_one_agent_leaves_room_for_the_others() -> None:
    queues = RunQueues(4, 3, {"small": 1})
    for number, agent in enumerate(["echo"] * 5 + ["small"] * 2):
        queues.add(replace(run(str(number), f"s{number}"), agent=agent), COLLECT)
    assert begun(queues) == [["0"], ["1"], ["2"], ["5"]]


def test_a_pause_is_waited_for() -> None:
    queues = RunQueues(10)
    queues.add(run("1", at=1000), QueueConfig(debounce_ms=300))
    assert (begun(queues, 1000), queues.next_due()) == ([], 1300)
    queues.add(run("2", at=1200), QueueConfig(debounce_ms=300))
    assert begun(queues, 1300) == []
    assert begun(queues, 1500) == [["1", "2"]]


def test_what_is_taken_back_does_not_begin() -> None:
    queues = RunQueues(10)
    queues.add(run("1"), FOLLOWUP)
    queues.add(run("2"), FOLLOWUP)
    queues.withdraw(run("1"))
    assert begun(queues) == [["2"]]


def test_a_run_takes_the_place_of_the_one_that_it_interrupts() -> None:
    queues = RunQueues(10)
    queues.add(run("1"), FOLLOWUP)
    assert begun(queues) == [["1"]]
    queues.add(run("2"), FOLLOWUP)
    arrival = queues.add(run("3", mode="interrupt"), FOLLOWUP)
    assert arrival.interrupts == "1"
    assert [(each.run, each.became) for each in arrival.outcomes] == [("2", "superseded")]


def test_after_a_restart_too_one_answer_goes_to_one_chat() -> None:
    queues = RunQueues(10)
    left = [run("1"), run("2"), run("3", to="bob"), run("4", to="bob"), run("5")]
    queues.restore(left, COLLECT)
    turns = []
    for name in ("1", "3", "4", "5"):
        turns += begun(queues)
        queues.end(run(name))
    assert turns == [["1", "2"], ["3"], ["4"], ["5"]]


INTERRUPT = QueueConfig(mode="interrupt", debounce_ms=0)


@pytest.mark.parametrize("restored", [False, True])
def test_what_another_chat_waits_for_is_not_interrupted(restored: bool) -> None:
    queues = RunQueues(10)
    if restored:
        queues.restore([run("1", started=1)], INTERRUPT)
    else:
        queues.add(run("1"), INTERRUPT)
        assert begun(queues) == [["1"]]
    other = queues.add(run("2", to="bob"), INTERRUPT)
    assert (other.interrupts, other.outcomes, queues.depth("s")) == (None, [], 1)
    newer = queues.add(run("3"), INTERRUPT)
    assert (newer.interrupts, newer.outcomes) == ("1", [])
    newest = queues.add(run("4", to="bob"), INTERRUPT)
    assert (newest.interrupts, [each.run for each in newest.outcomes]) == (None, ["2"])
    client = queues.add(replace(run("5"), reply=None), INTERRUPT)
    assert (client.interrupts, [each.run for each in client.outcomes]) == ("1", ["3", "4"])


def test_each_chat_hears_that_too_many_wait() -> None:
    queues, settings = RunQueues(10), QueueConfig(mode="followup", debounce_ms=0, cap=1)
    queues.add(run("1"), settings)
    refused = [run("2"), run("3"), run("4", to="bob"), run("5", to="bob")]
    notices = [queues.add(each, settings).notice for each in refused]
    assert [notice is not None for notice in notices] == [True, False, True, False]


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    queues = RunQueues(10)
    queues.restore([run("1", at=9_000_000)], FOLLOWUP)
    assert begun(queues, now=1) == [["1"]]


@pytest.mark.parametrize("running", [[], ["1"]])
def test_what_an_earlier_gateway_has_left_goes_first(running: list[str]) -> None:
    queues = RunQueues(10)
    left = [run(name, started=int(name in running)) for name in ("1", "2")]
    queues.restore(left, COLLECT)
    queues.add(run("3"), FOLLOWUP)
    first = begun(queues)
    assert first == ([] if running else [["1", "2"]]) or first == [["1"]]
    if running:
        queues.end(run("1"))
        assert begun(queues)[0][0] == "2"


def test_what_waits_is_due_at_once_when_the_clock_is_set() -> None:
    queues = RunQueues(1)
    for name, session in (("1", "s"), ("2", "t"), ("3", "s")):
        queues.add(run(name, session, at=1_000), COLLECT)
    assert begun(queues, 1_000) == [["1", "3"]]
    queues.add(run("4", at=1_000), COLLECT)
    queues.forget_times()
    assert begun(queues, 1) == []
    queues.end(run("1"))
    assert begun(queues, 1) == [["2"]]
    queues.end(run("2", "t"))
    assert begun(queues, 1) == [["4"]]
