"""Which sessions may begin a turn: one each, in order, within the limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.lanes import Lanes


def lanes(limit: int = 10, per_agent: int = 10, **of_agents: int) -> Lanes:
    return Lanes(limit, per_agent, of_agents)


def queue(found: Lanes, *sessions: str, at: int = 0) -> None:
    """Have sessions ask; the first letter of each is its agent."""
    for session in sessions:
        found.request(session, session[0], at)


def test_a_session_has_one_turn_at_a_time() -> None:
    found = lanes()
    queue(found, "a1", "a2")
    assert found.begin_due(0) == ["a1", "a2"]
    queue(found, "a1")
    assert found.begin_due(0) == []
    assert found.has_turn("a1")
    assert found.why_waiting("a1") == "an earlier turn of this session runs"
    found.end("a1")
    assert found.begin_due(0) == ["a1"]
    found.end("a1")
    assert not found.has_turn("a1")
    assert found.begin_due(0) == []


def test_no_more_turns_run_than_may() -> None:
    found = lanes(2)
    queue(found, "a1", "b1", "c1")
    assert found.begin_due(0) == ["a1", "b1"]
    assert (found.running, found.waiting) == (2, 1)
    assert found.why_waiting("c1") == "as many turns run as agents.maxConcurrent allows: 2"
    found.end("b1")
    assert found.begin_due(0) == ["c1"]


def test_a_full_agent_keeps_only_its_own_sessions_waiting() -> None:
    found = lanes(10, 2, b=1)
    queue(found, "a1", "a2", "a3", "b1", "b2", "c1")
    assert found.begin_due(0) == ["a1", "a2", "b1", "c1"]
    assert found.why_waiting("a3") == "the agent a has as many turns as it may: 2"
    assert found.why_waiting("b2") == "the agent b has as many turns as it may: 1"
    found.end("c1")
    assert found.begin_due(0) == []
    found.end("a2")
    assert found.begin_due(0) == ["a3"]


def test_a_busy_session_goes_to_the_end_of_the_line() -> None:
    found = lanes(1)
    queue(found, "a1", "a2", "b1")
    order = []
    for _ in range(6):
        (session,) = found.begin_due(0)
        order.append(session)
        queue(found, session)
        found.end(session)
    assert order == ["a1", "a2", "b1", "a1", "a2", "b1"]


def test_asking_again_keeps_the_place() -> None:
    found = lanes(1)
    queue(found, "a0")
    found.begin_due(0)
    queue(found, "a1", "a2", "a1", "a1")
    assert [found.ahead(each) for each in ("a1", "a2", "b9", "a0")] == [0, 1, None, None]
    found.end("a0")
    assert found.begin_due(0) == ["a1"]


def test_a_session_that_waits_for_quiet_keeps_no_other_waiting() -> None:
    found = lanes(1)
    queue(found, "a1", at=300)
    queue(found, "a2", at=100)
    assert found.begin_due(99) == []
    assert found.next_due() == 100
    assert found.why_waiting("a1") == "it begins once nothing more comes"
    queue(found, "a2", at=400)
    assert found.begin_due(299) == []
    assert found.next_due() == 300
    assert found.begin_due(300) == ["a1"]
    found.end("a1")
    assert found.next_due() == 400
    assert found.begin_due(400) == ["a2"]
    assert found.next_due() is None


def test_quiet_may_end_earlier_than_it_was_said() -> None:
    found = lanes()
    queue(found, "a1", at=300)
    queue(found, "a1", at=50)
    assert found.begin_due(50) == ["a1"]
    assert found.begin_due(300) == []


def test_a_due_session_that_waits_again_is_not_begun() -> None:
    found = lanes(1)
    queue(found, "a0")
    found.begin_due(0)
    queue(found, "a1")
    assert found.begin_due(0) == []
    queue(found, "a1", at=500)
    found.end("a0")
    assert found.begin_due(100) == []
    assert found.begin_due(500) == ["a1"]


def test_what_is_withdrawn_does_not_begin() -> None:
    found = lanes()
    queue(found, "a1", "a2")
    found.withdraw("a1")
    found.withdraw("nobody")
    assert found.begin_due(0) == ["a2"]
    queue(found, "a2")
    found.withdraw("a2")
    assert found.has_turn("a2")
    found.end("a2")
    assert found.begin_due(0) == []
    assert (found.running, found.waiting) == (0, 0)


def test_who_asks_anew_stands_at_the_end_of_the_line() -> None:
    found = lanes(1)
    queue(found, "a0")
    found.begin_due(0)
    queue(found, "a1", "a2")
    found.begin_due(0)
    found.withdraw("a1")
    queue(found, "a1")
    found.begin_due(0)
    found.end("a0")
    assert found.begin_due(0) == ["a2"]


def test_asking_twice_is_one_turn() -> None:
    found = lanes(1)
    queue(found, "a0")
    found.begin_due(0)
    for _ in range(2):
        queue(found, "a1")
        found.begin_due(0)
    found.end("a0")
    assert found.begin_due(0) == ["a1"]
    queue(found, "a1")
    found.configure(5, 5)
    assert found.begin_due(0) == []


def test_what_asks_for_nothing_waits_for_nothing() -> None:
    found = lanes()
    queue(found, "a1")
    found.begin_due(0)
    assert found.why_waiting("a1") is None
    assert found.why_waiting("nobody") is None


def test_an_end_that_is_told_twice_counts_once() -> None:
    found = lanes(1)
    queue(found, "a1", "a2")
    found.begin_due(0)
    found.end("a1")
    found.end("a1")
    found.end("nobody")
    queue(found, "a3")
    assert found.begin_due(0) == ["a2"]


def test_turns_from_before_a_restart_count() -> None:
    found = lanes(2)
    found.restore("a1", "a")
    found.restore("a1", "a")
    assert found.running == 1
    queue(found, "a1", "b1", "c1")
    assert found.begin_due(0) == ["b1"]
    found.end("a1")
    assert found.begin_due(0) == ["c1"]


def test_other_limits_hold_at_once_and_end_nothing() -> None:
    found = lanes(3)
    queue(found, "a1", "a2", "a3", "b1")
    assert len(found.begin_due(0)) == 3
    found.configure(1, 1)
    found.end("a1")
    assert found.begin_due(0) == []
    found.configure(9, 1, {"b": 5})
    assert found.begin_due(0) == ["b1"]
    assert found.running == 3


def test_a_session_may_change_its_agent_between_turns() -> None:
    found = lanes(9, 1)
    found.request("s", "a")
    found.request("s", "b")
    found.request("t", "a")
    assert sorted(found.begin_due(0)) == ["s", "t"]
    found.request("s", "a")
    found.end("s")
    assert found.begin_due(0) == ["s"]


EVENT = st.tuples(
    st.sampled_from(["queued", "queued", "ended", "take", "withdrawn", "resumed", "configure"]),
    st.sampled_from(["a1", "a2", "a3", "b1", "b2", "c1"]),
    st.integers(0, 3),
)


class Reference:
    """What must hold, kept in the plainest way: a list in the order of asking."""

    def __init__(self) -> None:
        self.line: list[str] = []
        self.at: dict[str, int] = {}
        self.running: set[str] = set()
        self.limits = (2, 1)

    def free(self, session: str) -> bool:
        of_agent = sum(each[0] == session[0] for each in self.running)
        return len(self.running) < self.limits[0] and of_agent < self.limits[1]

    def begin_due(self, now: int) -> list[str]:
        taken = []
        for session in list(self.line):
            ready = self.at[session] <= now and session not in self.running
            if ready and self.free(session):
                self.line.remove(session)
                self.running.add(session)
                taken.append(session)
        return taken


@given(st.lists(EVENT, max_size=60))
def test_whatever_happens_the_order_and_the_limits_hold(events: list[tuple[str, str, Any]]) -> None:
    found, model, now = lanes(2, 1), Reference(), 0
    for name, session, number in events:
        match name:
            case "queued":
                found.request(session, session[0], now + number)
                model.at[session] = now + number
                if session not in model.line:
                    model.line.append(session)
            case "ended":
                found.end(session)
                if session in model.running:
                    model.running.remove(session)
                    if session in model.line:
                        model.line.remove(session)
                        model.line.append(session)
            case "withdrawn":
                found.withdraw(session)
                model.line = [each for each in model.line if each != session]
            case "resumed":
                found.restore(session, session[0])
                model.running.add(session)
            case "configure":
                model.limits = (number + 1, 1 + number % 2)
                found.configure(*model.limits)
            case _:
                now += number
                assert found.begin_due(now) == model.begin_due(now)
        assert found.running == len(model.running)
        assert found.waiting == len(model.line)
        for each in model.line:
            assert found.why_waiting(each)
            ahead = [other for other in model.line if other[0] == each[0]].index(each)
            assert found.ahead(each) == ahead
    assert found.begin_due(now) == model.begin_due(now)
    due = {model.at[each] for each in model.line if each not in model.running}
    wake = found.next_due()
    assert wake == min((at for at in due if at > now), default=None)


@pytest.mark.parametrize("sessions", [1000])
def test_a_thousand_sessions_cost_little(sessions: int) -> None:
    found = lanes(8, 8)
    queue(found, *[f"{agent}{n}" for n in range(sessions) for agent in "ab"])
    begun: list[str] = []
    while taken := found.begin_due(0):
        begun += taken
        for session in taken:
            found.end(session)
    assert begun == [f"{agent}{n}" for n in range(sessions) for agent in "ab"]
