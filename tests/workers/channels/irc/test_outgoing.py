"""The queue of lines behind the bucket that paces them."""

from __future__ import annotations

from ipc.token_bucket import TokenBucket
from workers.channels.irc.outgoing import Outgoing


def queue(burst: int = 2, rate: float = 0.5) -> Outgoing[str]:
    return Outgoing(TokenBucket(burst, rate, now=0.0))


def written(outgoing: Outgoing[str], now: float) -> list[str]:
    return [line for line, _ in outgoing.pop(now)]


def test_the_burst_goes_at_once_and_the_rest_in_time() -> None:
    outgoing = queue()
    outgoing.put_message(["a", "b", "c", "d"], "message")
    assert written(outgoing, 0.0) == ["a", "b"]
    assert outgoing.delay(0.0) == 2.0
    assert written(outgoing, 1.9) == []
    assert written(outgoing, 2.0) == ["c"]
    assert len(outgoing) == 1
    assert written(outgoing, 60.0) == ["d"]
    assert outgoing.delay(60.0) is None


def test_what_is_urgent_never_waits_but_counts() -> None:
    outgoing = queue()
    for _ in range(10):
        outgoing.put("PONG", urgent=True)
    outgoing.put_message(["a"], "message")
    assert outgoing.delay(0.0) == 0.0
    assert written(outgoing, 0.0) == ["PONG"] * 10
    assert outgoing.delay(0.0) == 6.0  # one burst is owed, not ten lines


def test_the_client_itself_goes_first() -> None:
    outgoing = queue(burst=3)
    outgoing.put_message(["a", "b"], "message")
    outgoing.put("JOIN #a")
    assert written(outgoing, 0.0) == ["JOIN #a", "a", "b"]


def test_a_message_can_be_withdrawn() -> None:
    outgoing = queue(burst=9)
    first, second = "first", "second"
    outgoing.put_message(["a", "b"], first)
    outgoing.put_message(["c"], second)
    outgoing.withdraw(first)
    assert list(outgoing.pop(0.0)) == [("c", "second")]


def test_the_pace_can_be_replaced() -> None:
    outgoing = queue()
    outgoing.put_message(["a", "b", "c", "d"], "message")
    assert written(outgoing, 0.0) == ["a", "b"]
    outgoing.set_bucket(TokenBucket(2, 0.5, 0.0))
    assert written(outgoing, 0.0) == ["c", "d"]
