"""Which answer belongs to whom, and what happens when it does not come."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from ipc.calls import Calls
from ipc.errors import CallTimeout, PeerGone, RemoteError


async def test_answers_find_their_calls_in_any_order() -> None:
    calls: Calls[str] = Calls()
    (first, one), (second, two) = calls.start("a", 30, "send"), calls.start("a", 30, "send")
    assert second > first
    assert calls.resolve(second, "two")
    assert calls.resolve(first, "one")
    assert (await one, await two) == ("one", "two")
    assert len(calls) == 0


async def test_a_dead_peer_fails_its_own_calls_at_once() -> None:
    calls: Calls[str] = Calls()
    (_, gone), (other, alive) = calls.start("a#1", 30, "send"), calls.start("b#1", 30, "send")
    assert calls.fail_peer("a#1") == 1
    with pytest.raises(PeerGone, match="may have been executed") as caught:
        await gone
    assert caught.value.maybe_executed
    assert not alive.done()
    calls.resolve(other, "fine")
    assert calls.fail_peer("a#1") == 0


async def test_everything_can_fail_each_with_its_own_error() -> None:
    calls: Calls[str] = Calls()
    (_, one), (_, two) = calls.start("a", 30, "send"), calls.start("b", 30, "send")
    assert calls.fail_all() == 2
    assert str(one.exception()) != str(two.exception())


async def test_an_error_of_the_peer_reaches_the_caller() -> None:
    calls: Calls[str] = Calls()
    number, future = calls.start("a", 30, "send")
    waiting = asyncio.create_task(calls.answer(number, future))
    await asyncio.sleep(0)
    calls.fail(number, RemoteError("UNAVAILABLE", "busy"))
    with pytest.raises(RemoteError, match="busy"):
        await waiting


@pytest.mark.virtual_time
async def test_a_call_without_an_answer_times_out() -> None:
    calls: Calls[str] = Calls()
    number, future = calls.start("a", 30, "send")
    with pytest.raises(CallTimeout, match=r"send: no answer within 30 s"):
        await calls.answer(number, future)
    assert asyncio.get_running_loop().time() == pytest.approx(30, abs=0.01)
    assert len(calls) == 0
    assert not calls.resolve(number, "late")
    assert calls.late == 1


async def test_a_caller_that_gives_up_leaves_nothing() -> None:
    calls: Calls[str] = Calls()
    number, future = calls.start("a", 30, "send")
    waiting = asyncio.create_task(calls.answer(number, future))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(calls) == 0
    assert not calls.fail(number, ValueError())


async def test_a_future_that_was_cancelled_takes_no_answer() -> None:
    calls: Calls[str] = Calls()
    number, future = calls.start("a", 30, "send")
    future.cancel()
    assert not calls.resolve(number, "late")
    assert calls.late == 1


async def test_unknown_ids_are_counted_or_refused() -> None:
    calls: Calls[str] = Calls()
    assert not calls.resolve(99, "x")
    assert not calls.fail(99, ValueError())
    assert calls.late == 2
    assert calls.peer_of(99) is None


@pytest.mark.virtual_time
async def test_each_call_ends_at_its_own_time() -> None:
    calls: Calls[str] = Calls()
    now = asyncio.get_running_loop().time
    ended: dict[float, float] = {}

    class Waiter:
        def __init__(self, seconds: float) -> None:
            self.seconds = seconds
            calls.expect(self, "a", seconds, "send")

        def done(self) -> bool:
            return False

        def set_result(self, result: str) -> None:
            raise AssertionError(result)

        def set_exception(self, exception: Exception) -> None:
            assert isinstance(exception, CallTimeout)
            assert exception.seconds == self.seconds
            ended[self.seconds] = now()

    began = now()
    for seconds in (30, 2, 300, 10, 2.5):
        Waiter(seconds)
    number, _ = calls.start("a", 20, "answered")
    calls.resolve(number, "in time")
    await asyncio.sleep(400)
    assert list(ended) == [2, 2.5, 10, 30, 300]
    assert all(when - began == pytest.approx(after, abs=0.01) for after, when in ended.items())


@pytest.mark.virtual_time
async def test_many_that_are_due_one_after_the_other_are_looked_at_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: Calls[str] = Calls()
    looks, expire = 0, Calls._expire  # how often the timer runs shows nowhere else

    def counted(self: Calls[str]) -> None:
        nonlocal looks
        looks += 1
        expire(self)

    monkeypatch.setattr(Calls, "_expire", counted)
    futures = [calls.start("a", 1 + each / 1000, "send")[1] for each in range(1000)]
    await asyncio.sleep(2.2)
    assert all(isinstance(future.exception(), CallTimeout) for future in futures)
    assert looks < 30


async def test_nothing_is_left_when_everything_has_failed() -> None:
    calls: Calls[str] = Calls()
    _, future = calls.start("a", 30, "send")
    calls.fail_all()
    assert isinstance(future.exception(), PeerGone)
    left = weakref.ref(calls)
    del calls
    gc.collect()
    assert left() is None  # no timer of the loop keeps it
