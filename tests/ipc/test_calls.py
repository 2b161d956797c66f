"""Which answer belongs to whom, and what happens when it does not come."""

from __future__ import annotations

import asyncio

import pytest

from ipc.calls import Calls
from ipc.errors import CallTimeout, PeerGone, RemoteError


async def test_answers_find_their_calls_in_any_order() -> None:
    calls: Calls[str] = Calls()
    (first, one), (second, two) = calls.start("a"), calls.start("a")
    assert second > first
    assert calls.settle(second, "two")
    assert calls.settle(first, "one")
    assert (await one, await two) == ("one", "two")
    assert len(calls) == 0


async def test_a_dead_peer_fails_its_own_calls_at_once() -> None:
    calls: Calls[str] = Calls()
    (_, gone), (other, alive) = calls.start("a#1"), calls.start("b#1")
    assert calls.fail_peer("a#1") == 1
    with pytest.raises(PeerGone, match="may have been executed") as caught:
        await gone
    assert caught.value.maybe_executed
    assert not alive.done()
    calls.settle(other, "fine")
    assert calls.fail_peer("a#1") == 0


async def test_everything_can_fail_each_with_its_own_error() -> None:
    calls: Calls[str] = Calls()
    (_, one), (_, two) = calls.start("a"), calls.start("b")
    assert calls.fail_all() == 2
    assert str(one.exception()) != str(two.exception())


async def test_an_error_of_the_peer_reaches_the_caller() -> None:
    calls: Calls[str] = Calls()
    number, _ = calls.start("a")
    waiting = asyncio.create_task(calls.wait(number, 10))
    await asyncio.sleep(0)
    calls.fail(number, RemoteError("UNAVAILABLE", "busy"))
    with pytest.raises(RemoteError, match="busy"):
        await waiting


@pytest.mark.virtual_time
async def test_no_answer_in_time() -> None:
    calls: Calls[str] = Calls()
    number, _ = calls.start("a")
    with pytest.raises(CallTimeout, match=r"send: no answer within 30 s"):
        await calls.wait(number, 30, "send")
    assert len(calls) == 0
    assert not calls.settle(number, "late")
    assert calls.late == 1


async def test_a_caller_that_gives_up_leaves_nothing() -> None:
    calls: Calls[str] = Calls()
    number, _ = calls.start("a")
    waiting = asyncio.create_task(calls.wait(number, 30))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(calls) == 0
    assert not calls.fail(number, ValueError())


async def test_a_future_that_was_cancelled_takes_no_answer() -> None:
    calls: Calls[str] = Calls()
    number, future = calls.start("a")
    future.cancel()
    assert not calls.settle(number, "late")
    assert calls.late == 1


async def test_unknown_ids_are_counted_or_refused() -> None:
    calls: Calls[str] = Calls()
    assert not calls.settle(99, "x")
    assert not calls.fail(99, ValueError())
    assert calls.late == 2
    with pytest.raises(LookupError):
        await calls.wait(99, 1)
