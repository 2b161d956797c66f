"""Which message may be tried: one of a chat at a time, in order, at its time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.outbox.lineup import Lineup

LATE = 1_000_000


def test_a_chat_has_one_message_under_way_and_others_do_not_wait_for_it() -> None:
    lineup = Lineup()
    for key, chat in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        lineup.add(key, chat, LATE)
    assert lineup.take(0) == ["a1", "b1"]
    assert lineup.take(0) == []
    assert not lineup.may_begin("a", 0)
    lineup.remove("a1")
    assert lineup.take(0) == ["a2"]
    lineup.remove("a2")
    assert lineup.may_begin("a", 0)


def test_what_waits_for_its_time_keeps_its_chat_waiting() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", LATE)
    lineup.add("a2", "a", LATE)
    assert lineup.take(0) == ["a1"]
    lineup.postpone("a1", 50)
    assert lineup.take(49) == []
    assert lineup.wake() == 50
    assert lineup.take(50) == ["a1"]


def test_the_account_may_be_held_as_a_whole() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", LATE)
    lineup.hold(70)
    lineup.hold(30)
    assert (lineup.take(69), lineup.may_begin("b", 69), lineup.wake()) == ([], False, 70)
    assert lineup.take(70) == ["a1"]


def test_so_many_are_under_way_and_no_more() -> None:
    lineup = Lineup(width=2)
    for chat in "abc":
        lineup.add(f"{chat}1", chat, LATE)
    assert lineup.take(0) == ["a1", "b1"]
    assert not lineup.may_begin("d", 0)
    assert lineup.wake() == LATE  # the end of one is told, not waited for
    lineup.remove("b1")
    assert lineup.take(0) == ["c1"]


def test_nothing_begins_before_it_is_stored() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", 10, stored=False)
    assert (lineup.take(0), lineup.expired(20)) == ([], [])
    lineup.stored("a1")
    assert lineup.expired(20) == ["a1"]


def test_what_is_under_way_does_not_expire_but_once_it_waits_again_it_does() -> None:
    lineup = Lineup()
    lineup.add("a1", "a", 10, under_way=True)
    assert lineup.expired(20) == []
    lineup.postpone("a1", 15)
    assert lineup.expired(9) == []
    assert lineup.expired(20) == ["a1"]


def test_while_nothing_can_begin_only_expiry_counts() -> None:
    lineup = Lineup()
    assert lineup.wake() is None
    lineup.add("a1", "a", 10)
    assert (lineup.wake(), lineup.wake(beginning=False)) == (0, 10)


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
                lineup.hold(now + steps_on)
        for key in lineup.expired(now):
            lineup.remove(key)
            chat = next(chat for chat, keys in open_.items() if int(key) in keys)
            assert (chat, int(key)) not in under_way
            open_[chat].remove(int(key))
        for key in lineup.take(now):
            chat = next(chat for chat, keys in open_.items() if int(key) in keys)
            assert open_[chat][0] == int(key)
            under_way.append((chat, int(key)))
            seen.add(int(key))
        assert len(under_way) <= 2
        assert len({chat for chat, _ in under_way}) == len(under_way)
        assert len(lineup) == sum(map(len, open_.values()))
        wake = lineup.wake()
        if len(lineup) > len(under_way):
            assert wake is not None
            assert wake > now or len(under_way) == 2
