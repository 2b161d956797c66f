"""What one account is to send: in which order, what is given up, and what a set clock changes."""

from __future__ import annotations

import time
from asyncio import TaskGroup, ensure_future, shield, timeout
from typing import Any

import pytest

from ipc.errors import PeerGone
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.outbox import outcomes
from tests.support.outbox_life import OutboxLife, done, refusal
from tests.support.until import until


async def test_one_chat_waits_for_its_message_and_another_does_not() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), lambda call: None)
        life.welcome()
        sends = [
            tasks.create_task(life.send(key, to=to))
            for key, to in (("a1", "a"), ("a2", "a"), ("b1", "b"))
        ]
        await until(lambda: len(life.calls) == 2)
        assert life.sent == ["a1", "b1"]
        life.settle(done())
        await until(lambda: len(life.calls) == 3)
        assert life.sent == ["a1", "b1", "a2"]
        for _ in range(2):
            life.settle(done())
        assert [(await each).state for each in sends] == ["sent"] * 3


async def test_nothing_goes_out_after_the_caller_was_told_no() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        row = await life.send("k", seconds=0.05)
        assert (row.state, row.attempts) == ("expired", 0)
        life.welcome()
        await life.rests()
        assert (life.calls, await life.pending()) == ([], [])
        assert (await life.send("k")).state == "sent"  # its key may be used: it was not sent


async def test_an_end_without_haste_gives_up_what_waits_for_a_caller() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        waiting = tasks.create_task(life.send("k"))
        queued = await life.send("q", queue=True)
        await until(lambda: life.outbox.depth == 2)
        life.outbox.close()
        assert (await waiting).state == "expired"
        assert queued.state == "queued"
        assert [row.key for row in await life.pending()] == ["q"]


async def test_a_caller_is_told_at_the_end_that_nothing_goes_out_once_that_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with TaskGroup() as tasks:
        journal = MemoryJournal()
        life = OutboxLife(tasks, journal)
        life.report(1, "starting")
        waiting = tasks.create_task(life.send("k"))
        await until(lambda: life.outbox.depth == 1)
        await life.pending()
        with monkeypatch.context() as disk:
            disk.setattr(journal, "flush", lambda: None)
            life.outbox.close()
            with pytest.raises(TimeoutError):
                async with timeout(0.05):
                    await shield(waiting)
        journal.flush()
        assert (await waiting).state == "expired"
        assert await life.pending() == []


async def test_an_end_while_nothing_can_be_stored_leaves_open_whether_a_message_goes_out() -> None:
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal())
        life.report(1, "starting")
        waiting = ensure_future(life.send("k"))
        await until(lambda: life.outbox.depth == 1)
        await life.pending()
        life.journal.fault = "journal full"
        life.outbox.close()
        with pytest.raises(PeerGone) as gone:
            await waiting
        assert gone.value.maybe_executed
        assert [row.state for row in await life.pending()] == ["queued"]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_set_keeps_no_message_waiting_and_lets_none_expire(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "FIRST_BACKOFF_SECONDS", 0.3)
    steady, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: steady() + ahead)

    def worker(call: dict[str, Any]) -> Any:
        return refusal() if len(life.calls) == 1 else done()

    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, MemoryJournal(), worker)
        life.welcome()
        rows = [tasks.create_task(life.send(key)) for key in ("k1", "k2")]
        await until(lambda: life.outbox.attempts["busy"])
        ahead = hours * 3600.0  # k1 waits for its second attempt, and k2 behind it
        async with timeout(5):
            assert [(await row).state for row in rows] == ["sent", "sent"]
    assert life.sent == ["k1", "k1", "k2"]


async def test_what_waits_is_sent_by_the_next_gateway_when_the_clock_was_set_back_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outcomes, "FIRST_BACKOFF_SECONDS", 0.5)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, lambda call: refusal())
        first.welcome()
        await first.send("k", queue=True)
        await until(lambda: first.outbox.attempts["busy"])
        (row,) = await first.pending()
        assert (row.state, row.attempts) == ("queued", 1)
        first.end()
        steady = time.time
        monkeypatch.setattr(time, "time", lambda: steady() - 3600)
        second = OutboxLife(tasks, journal)
        second.welcome()
        async with timeout(5):
            assert (await second.send("k")).state == "sent"
