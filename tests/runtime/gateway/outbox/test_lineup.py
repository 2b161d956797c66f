"""Which message may be tried: one of a chat at a time, in order, at its time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.outbox.lineup import Lineup

LATE = 1_000_000


def test_a_chat_has_one_message_under_way_and_others_do_not_wait_for_it() -> None:
    lineup = Lineup()
    for key, chat in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        lineup.add(key, chat, LATE)
    assert lineup.begin_due(0) == ["a1", "b1"]
    assert lineup.begin_due(0) == []
    assert not lineup.may_begin("a", 0)
    lineup.remove("a1")
    assert lineup.begin_due(0) == ["a2"]
    lineup.remove("a2")
    assert lineup.may_begin("a", 0)


def test_what_waits_for_its_time_keeps_its_chat_waiting() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", LATE)
    lineup.add("a2", "a", LATE)
    assert lineup.begin_due(0) == ["a1"]
    lineup.postpone("a1", 50)
    assert lineup.begin_due(49) == []
    assert lineup.next_due() == 50
    assert lineup.begin_due(50) == ["a1"]


def test_the_account_may_be_held_as_a_whole() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", LATE)
    lineup.pause(70)
    lineup.pause(30)
    assert (lineup.begin_due(69), lineup.may_begin("b", 69), lineup.next_due()) == ([], False, 70)
    assert lineup.begin_due(70) == ["a1"]


def test_so_many_are_under_way_and_no_more() -> None:
    lineup = Lineup(width=2)
    for chat in "abc":
        lineup.add(f"{chat}1", chat, LATE)
    assert lineup.begin_due(0) == ["a1", "b1"]
    assert not lineup.may_begin("d", 0)
    assert lineup.next_due() == LATE  # the end of one is told, not waited for
    lineup.remove("b1")
    assert lineup.begin_due(0) == ["c1"]


def test_what_is_under_way_from_before_counts_too() -> None:
    lineup = Lineup(width=4)
    for chat in "abcx":
        lineup.add(f"{chat}1", chat, LATE, under_way=True)
    lineup.add("d1", "d", LATE)
    assert lineup.begin_due(0) == []
    lineup.remove("d1")
    lineup.remove("a1")
    lineup.postpone("b1", 20)
    assert lineup.may_begin("d", 0)
    for chat in "def":
        lineup.add(f"{chat}2", chat, LATE)
    assert lineup.begin_due(19) == ["d2", "e2"]


def test_a_message_may_begin_when_the_pause_ends() -> None:
    lineup = Lineup()
    lineup.pause(70)
    assert [lineup.may_begin("a", now) for now in (69, 70)] == [False, True]


def test_nothing_begins_before_it_is_stored() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", 10, stored=False)
    assert (lineup.begin_due(0), lineup.pop_expired(20)) == ([], [])
    lineup.on_stored("a1")
    assert lineup.pop_expired(20) == ["a1"]


def test_what_is_under_way_does_not_expire_but_once_it_waits_again_it_does() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", 10, under_way=True)
    assert lineup.pop_expired(20) == []
    lineup.postpone("a1", 15)
    assert lineup.pop_expired(9) == []
    assert lineup.pop_expired(20) == ["a1"]


@pytest.mark.parametrize("moved", [0, 50, -50])
def test_what_waits_for_its_chat_expires_in_time(moved: int) -> None:
    lineup = Lineup()
    for key in ("a1", "a2", "a3"):
        lineup.add(key, "a", 100)
    assert lineup.begin_due(0) == ["a1"]
    lineup.postpone("a1", 90)
    if moved:
        lineup.move(moved)
    assert lineup.next_due() == 90 + moved
    assert lineup.pop_expired(99 + moved) == []
    assert lineup.begin_due(99 + moved) == ["a1"]
    assert lineup.pop_expired(100 + moved) == ["a2", "a3"]


def test_while_nothing_can_begin_only_expiry_counts() -> None:
    lineup = Lineup()
    assert lineup.next_due() is None
    lineup.add("a1", "a", 10)
    assert (lineup.next_due(), lineup.next_due(beginning=False)) == (0, 10)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("ab"), st.integers(0, 40)),
        st.tuples(st.just("end"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("postpone"), st.integers(0, 3), st.integers(1, 20)),
        st.tuples(st.just("pass"), st.integers(1, 15), st.just(0)),
        st.tuples(st.just("hold"), st.integers(1, 15), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_chats_keep_their_order_and_nothing_is_forgotten(
    steps: list[tuple[str, int | str, int]],
) -> None:
    lineup, now, made = Lineup(width=2), 0, 0
    open_: dict[str, list[int]] = {"a": [], "b": []}  # what a simple model holds, by chat
    under_way: list[tuple[str, int]] = []
    seen: set[int] = set()
    for what, value, more in steps:
        match what, value:
            case "add", str(chat):
                made += 1
                lineup.add(str(made), chat, now + more)
                open_[chat].append(made)
            case "end", int(place) if place < len(under_way):
                chat, number = under_way.pop(place)
                lineup.remove(str(number))
                open_[chat].remove(number)
            case "postpone", int(place) if place < len(under_way):
                lineup.postpone(str(under_way.pop(place)[1]), now + more)
            case "pass", int(steps_on):
                now += steps_on
            case "hold", int(steps_on):
                lineup.pause(now + steps_on)
        for key in lineup.pop_expired(now):
            lineup.remove(key)
            chat = next(chat for chat, keys in open_.items() if int(key) in keys)
            assert (chat, int(key)) not in under_way
            open_[chat].remove(int(key))
        for key in lineup.begin_due(now):
            chat = next(chat for chat, keys in open_.items() if int(key) in keys)
            assert open_[chat][0] == int(key)
            under_way.append((chat, int(key)))
            seen.add(int(key))
        assert len(under_way) <= 2
        assert len({chat for chat, _ in under_way}) == len(under_way)
        assert len(lineup) == sum(map(len, open_.values()))
        wake = lineup.next_due()
        if len(lineup) > len(under_way):
            assert wake is not None
            assert wake > now or len(under_way) == 2


def test_what_has_no_time_gets_none_from_a_clock_that_is_set() -> None:
    lineup = Lineup()
    lineup.add("a", "a", 2_000)
    lineup.move(900)
    assert lineup.next_due() == 0
    assert lineup.may_begin("b", 0)
    assert lineup.begin_due(0) == ["a"]
    lineup.postpone("a", 10)
    assert lineup.pop_expired(2_899) == []
    assert lineup.pop_expired(2_900) == ["a"]


def test_all_times_move_with_a_clock_that_is_set() -> None:
    lineup = Lineup()
    for key in ("a", "b", "c"):
        lineup.add(key, key, 2_000)
    assert lineup.begin_due(1_000) == ["a", "b", "c"]
    lineup.postpone("a", 1_500)
    lineup.pause(1_600)
    lineup.move(-900)
    assert lineup.next_due() == 700
    assert lineup.begin_due(699) == []
    assert lineup.pop_expired(1_099) == []
    assert lineup.begin_due(700) == ["a"]
    lineup.postpone("b", 5_000)
    assert lineup.pop_expired(1_100) == ["b"]
