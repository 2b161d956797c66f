"""Each attempt is begun once, and its result is remembered, whatever it was."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.worker_rig import worker_rig
from workers.errors import MaybeSent, SendFailed
from workers.messages import Outbound, Sent
from workers.process.attempts import NotBegun, Progress, SendAttempt, SendAttempts

PARTS = [Sent("p1", "ada", 5)]


class Sending:
    """What sends: counts, and waits for ``go`` before it returns or raises ``error``."""

    def __init__(self, error: Exception | None = None, texts: list[str] | None = None) -> None:
        self.begun = 0
        self.error, self.texts = error, texts
        self.go = asyncio.Event()

    async def __call__(self, delivery: SendAttempt, progress: Progress) -> list[Sent]:
        self.begun += 1
        if self.texts:
            progress(self.texts, [])
            progress(self.texts, PARTS)
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return PARTS


def delivery(attempt: int = 1, key: str = "k", *, begin: bool = True) -> SendAttempt:
    return SendAttempt(Outbound("ada", "hi", key), attempt, begin=begin)


def deliveries(**more: Any) -> tuple[SendAttempts, list[Any]]:
    reported: list[Any] = []
    return SendAttempts(lambda *what: reported.append(what), **more), reported


async def test_an_attempt_that_is_asked_for_again_is_begun_once() -> None:
    known, _ = deliveries()
    sending = Sending()
    both = [
        asyncio.create_task(known.deliver(delivery(begin=begin), sending))
        for begin in (True, False)
    ]
    await asyncio.sleep(0)
    sending.go.set()
    assert await asyncio.gather(*both) == [PARTS, PARTS]
    assert await known.deliver(delivery(begin=False), sending) == PARTS
    assert sending.begun == 1


@pytest.mark.parametrize("error", [SendFailed("no", reason="blocked"), MaybeSent("no answer")])
async def test_a_failure_is_remembered_until_the_next_attempt(error: Exception) -> None:
    known, _ = deliveries()
    sending = Sending(error)
    sending.go.set()
    for begin in (True, False, True):
        with pytest.raises(type(error)):
            await known.deliver(delivery(begin=begin), sending)
    assert sending.begun == 1
    sending.error = None
    assert await known.deliver(delivery(2), sending) == PARTS


async def test_what_was_asked_for_and_not_begun_does_not_begin() -> None:
    known, _ = deliveries()
    sending = Sending()
    sending.go.set()
    for begin in (False, True):  # the second is a call that was on its way meanwhile
        with pytest.raises(NotBegun):
            await known.deliver(delivery(begin=begin), sending)
    assert sending.begun == 0
    assert await known.deliver(delivery(2), sending) == PARTS


async def test_the_end_of_the_account_leaves_an_attempt_in_doubt() -> None:
    known, _ = deliveries()
    sending = Sending()
    first = asyncio.create_task(known.deliver(delivery(), sending))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(MaybeSent):
        await known.deliver(delivery(begin=False), sending)


async def test_parts_are_reported_once_and_all_again_on_request() -> None:
    known, reported = deliveries()
    sending = Sending(texts=["one", "two"])
    sending.go.set()
    await known.deliver(delivery(), sending)
    assert reported == [("k", 1, ["one", "two"], []), ("k", 1, [], PARTS)]
    reported.clear()
    await known.deliver(delivery(begin=False), sending)
    assert reported == [("k", 1, ["one", "two"], PARTS)]


async def test_the_oldest_results_are_forgotten_and_what_is_under_way_is_not() -> None:
    known, _ = deliveries(max_known=3)
    slow, fast = Sending(), Sending()
    fast.go.set()
    waiting = asyncio.create_task(known.deliver(delivery(key="slow"), slow))
    await asyncio.sleep(0)
    for number in range(10):
        await known.deliver(delivery(key=f"k{number}"), fast)
    assert len(known) <= 4
    again = asyncio.create_task(known.deliver(delivery(key="slow", begin=False), slow))
    await asyncio.sleep(0)
    slow.go.set()
    assert [await waiting, await again] == [PARTS, PARTS]
    assert slow.begun == 1


async def test_what_became_of_an_attempt_is_answered_even_where_no_call_may_begin(
    run_dir: Path,
) -> None:
    """A refusal would say that it was not made, and it would be made again."""
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        gate = asyncio.Event()

        async def slowly(message: Outbound) -> Sent:
            await gate.wait()
            return Sent(id=message.key, chat=message.to, ts=1)

        plugin.on_send = slowly
        for number in range(64):
            rig.gateway.ask(
                "deliver",
                {"message": {"to": "room", "text": "hi", "key": f"k{number}"}, "attempt": 1},
            )
        made = {"message": {"to": "room", "text": "hi", "key": "k5"}, "attempt": 1, "begin": False}
        asked = rig.gateway.ask("deliver", made)
        never = rig.gateway.ask("deliver", made | {"attempt": 2})
        told = await rig.gateway.until(lambda: rig.gateway.answers.get(never))
        assert told is not None
        assert json.loads(told.payload)["details"] == {"notBegun": True}
        gate.set()
        answer = await rig.gateway.until(lambda: rig.gateway.answers.get(asked))
        assert answer is not None
        assert json.loads(answer.payload)["sent"][0]["id"] == "k5"
