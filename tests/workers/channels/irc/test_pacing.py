"""The bucket and the queue behind it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.channels.irc.outgoing import Outgoing
from workers.channels.irc.pacing import Bucket


def queue(burst: int = 2, rate: float = 0.5) -> Outgoing[str]:
    return Outgoing(Bucket(burst, rate, now=0.0))


def written(outgoing: Outgoing[str], now: float) -> list[str]:
    return [line for line, _ in outgoing.take(now)]


@given(
    st.integers(1, 10),
    st.floats(0.1, 20),
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=60),
)
def test_no_window_holds_more_than_the_burst_and_the_rate(
    burst: int, rate: float, steps: list[tuple[float, bool]]
) -> None:
    bucket, now, taken = Bucket(burst, rate, 0.0), 0.0, []
    for wait, jump in steps:
        now += wait if jump else bucket.wait(now)
        if bucket.take(now):
            taken.append(now)
    for index, start in enumerate(taken):
        for count, end in enumerate(taken[index:], 1):
            assert count <= burst + (end - start) * rate + 1e-6


@given(st.integers(1, 10), st.floats(0.1, 20), st.integers(0, 30))
def test_after_the_wait_there_is_a_token(burst: int, rate: float, taken: int) -> None:
    bucket = Bucket(burst, rate, 0.0)
    for _ in range(taken):
        bucket.owe(0.0)
    assert bucket.take(bucket.wait(0.0))


def test_the_burst_goes_at_once_and_the_rest_in_time() -> None:
    outgoing = queue()
    outgoing.say(["a", "b", "c", "d"], "message")
    assert written(outgoing, 0.0) == ["a", "b"]
    assert outgoing.wait(0.0) == 2.0
    assert written(outgoing, 1.9) == []
    assert written(outgoing, 2.0) == ["c"]
    assert len(outgoing) == 1
    assert written(outgoing, 60.0) == ["d"]
    assert outgoing.wait(60.0) is None


def test_what_is_urgent_never_waits_but_counts() -> None:
    outgoing = queue()
    for _ in range(10):
        outgoing.put("PONG", urgent=True)
    outgoing.say(["a"], "message")
    assert outgoing.wait(0.0) == 0.0
    assert written(outgoing, 0.0) == ["PONG"] * 10
    assert outgoing.wait(0.0) == 6.0  # one burst is owed, not ten lines


def test_the_client_itself_goes_first() -> None:
    outgoing = queue(burst=3)
    outgoing.say(["a", "b"], "message")
    outgoing.put("JOIN #a")
    assert written(outgoing, 0.0) == ["JOIN #a", "a", "b"]


def test_a_message_can_be_withdrawn() -> None:
    outgoing = queue(burst=9)
    first, second = "first", "second"
    outgoing.say(["a", "b"], first)
    outgoing.say(["c"], second)
    outgoing.withdraw(first)
    assert list(outgoing.take(0.0)) == [("c", "second")]


def test_the_pace_can_begin_anew() -> None:
    outgoing = queue()
    outgoing.say(["a", "b", "c", "d"], "message")
    assert written(outgoing, 0.0) == ["a", "b"]
    outgoing.pace(Bucket(2, 0.5, 0.0))
    assert written(outgoing, 0.0) == ["c", "d"]
