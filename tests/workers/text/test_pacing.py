from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.text.limits import Pace, Rate
from workers.text.pacing import MOST_CHATS, Pacer

TELEGRAM = Pace(account=Rate(30), chat=Rate(1), group=Rate(20, 60))
RATES = st.builds(Rate, st.integers(1, 5), st.floats(0.1, 100))
PACES = st.builds(Pace, *([st.none() | RATES] * 3))
CHATS = st.sampled_from(["a", "b", "c"])


def sent(pacer: Pacer, now: float, chat: str = "a", *, group: bool = False) -> bool:
    return pacer.reserve(now, chat, group=group)


def test_a_chat_has_a_pace_of_its_own() -> None:
    pacer = Pacer(TELEGRAM, 100.0)
    assert sent(pacer, 100.0)
    assert not sent(pacer, 100.0)
    assert pacer.not_yet_until(100.0, "a") == pytest.approx(101.0)
    assert sent(pacer, 100.0, "b")
    assert sent(pacer, 101.0)


def test_the_account_s_pace_holds_for_all_chats_together() -> None:
    pacer = Pacer(TELEGRAM, 0.0)
    assert sum(sent(pacer, 0.0, str(chat)) for chat in range(50)) == 30
    assert pacer.not_yet_until(0.0, "new") == pytest.approx(1 / 30)


def test_a_group_obeys_the_limits_of_group_and_chat() -> None:
    pacer = Pacer(TELEGRAM, 0.0)
    times = [second for second in range(120) if sent(pacer, float(second), "g", group=True)]
    assert times[:20] == list(range(20)), "one a second, at first"
    assert len(times) <= 20 + 2 * 20
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= 1


def test_what_the_platform_demands_is_never_shortened() -> None:
    pacer = Pacer(Pace(), 0.0)
    assert sent(pacer, 0.0)
    pacer.hold(7 * 3600.0, "a")
    pacer.hold(10.0, "a")
    assert pacer.not_yet_until(1.0, "a") == 7 * 3600.0
    assert sent(pacer, 1.0, "b")
    pacer.hold(50.0)
    assert pacer.not_yet_until(1.0, "b") == 50.0
    assert not sent(pacer, 49.9, "b")
    assert sent(pacer, 50.0, "b")
    assert not sent(pacer, 50.0)
    assert sent(pacer, 7 * 3600.0)


def test_chats_without_number_do_not_take_memory_without_bound() -> None:
    pacer = Pacer(Pace(chat=Rate(1, 1000)), 0.0)
    for number in range(MOST_CHATS * 2):
        assert sent(pacer, number / 1e6, str(number))
    assert not sent(pacer, 1.0, str(MOST_CHATS * 2 - 1)), "the newest are remembered"
    assert len(pacer._chats) <= MOST_CHATS  # a leak shows nowhere else


@given(PACES, st.lists(st.tuples(st.floats(0, 20), CHATS, st.booleans()), max_size=60))
def test_no_window_holds_more_than_the_pace(
    pace: Pace, asked: list[tuple[float, str, bool]]
) -> None:
    pacer, now = Pacer(pace, 0.0), 0.0
    gone: list[tuple[float, str]] = []
    for wait, chat, _ in asked:
        now += wait
        until = pacer.not_yet_until(now, chat)
        assert (until is None) is pacer.reserve(now, chat)
        if until is None:
            gone.append((now, chat))
        else:
            assert until > now
    for rate, chosen in (
        (pace.account, gone),
        *((pace.chat, [each for each in gone if each[1] == chat]) for chat in "abc"),
    ):
        if rate is None:
            continue
        for first in range(len(chosen)):
            for last in range(first, len(chosen)):
                span = chosen[last][0] - chosen[first][0]
                assert last - first + 1 <= rate.count * (1 + span / rate.seconds) + 1e-3


@given(PACES, st.integers(1, 30), st.booleans())
def test_a_message_may_be_sent_after_the_named_wait(pace: Pace, count: int, group: bool) -> None:
    pacer, now = Pacer(pace, 0.0), 0.0
    for _ in range(count):
        now = pacer.not_yet_until(now, "a", group=group) or now
        if (again := pacer.not_yet_until(now, "a", group=group)) is not None:
            assert again - now < 1e-6, "only what floating point has lost"
            now = again + 1e-6
        assert pacer.reserve(now, "a", group=group)
