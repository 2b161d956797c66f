"""Attempts to send a message: each is stored before its call, over lives of the gateway."""

from __future__ import annotations

from asyncio import TaskGroup
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import PeerGone
from runtime.gateway.accounts.account_calls import NotAsked
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.outbox import attempts, outcomes
from runtime.gateway.outbox.entries import DIED
from tests.support.journals import KEY, KINDS, journal_of
from tests.support.outbox_life import OutboxLife, done, refusal
from tests.support.until import until


async def test_an_attempt_is_stored_before_its_call_goes_out() -> None:
    journal = MemoryJournal()
    states: list[list[str]] = []

    async def look() -> None:
        states.append([each.row.state for each in await journal.outgoing(KEY)])

    async with TaskGroup() as tasks:

        def worker(call: dict[str, Any]) -> None:
            tasks.create_task(look())

        life = OutboxLife(tasks, journal, worker)
        life.welcome()
        sending = tasks.create_task(life.send("k"))
        await until(lambda: states)
        assert states == [["attempting"]]
        life.settle(done())
        row = await sending
    assert (row.state, row.attempts, row.incarnation) == ("sent", 1, 1)
    assert [each.id for each in row.sent] == ["p1.0"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_next_gateway_asks_the_living_worker(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal, TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, lambda call: None)
        first.welcome()
        await first.send("k", queue=True)
        await until(lambda: first.calls)
        first.end()
        second = OutboxLife(tasks, journal)
        second.welcome()
        row = await second.send("k")
        assert row.state == "sent"
        assert [(call["attempt"], call.get("begin", True)) for call in second.calls] == [(1, False)]


async def test_what_a_living_worker_has_not_begun_is_tried_again_before_what_follows() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, lambda call: None)
        first.welcome()
        for key in ("k1", "k2"):
            await first.send(key, queue=True)
        await until(lambda: first.calls)
        first.end()

        def worker(call: dict[str, Any]) -> Any:
            return done() if call.get("begin", True) else refusal(notBegun=True)

        second = OutboxLife(tasks, journal, worker)
        second.welcome()
        await until(lambda: len(second.sent) == 2)
        assert second.sent == ["k1", "k2"]
        assert [call["attempt"] for call in second.calls] == [1, 2, 1]


@pytest.mark.parametrize(
    ("ambiguous", "state", "letters", "calls"),
    [("ask", "unknown", 1, 1), ("drop", "unknown", 0, 1), ("retry", "sent", 0, 2)],
)
async def test_only_what_a_dead_worker_had_is_in_doubt(
    ambiguous: str, state: str, letters: int, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "FIRST_BACKOFF_SECONDS", 0.01)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, lambda call: None)
        first.welcome()
        await first.send("k", queue=True)
        await until(lambda: first.calls)
        first.end()
        second = OutboxLife(tasks, journal, ambiguous=ambiguous)
        second.report(2, ambiguous=ambiguous)
        await until(lambda: KEY in second.outbox.accounts)
        peer = second.peers.ensure(f"{KEY}#2".encode(), KEY, 2)
        second.peers.welcome(peer)
        second.outbox.on_welcome(KEY)
        row = await second.send("k")
        assert (row.state, len(await second.dead_letters.oldest())) == (state, letters)
        assert len(first.calls) + len(second.calls) == calls


async def test_a_call_whose_answer_is_lost_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "ASK_AGAIN_SECONDS", 0.01)
    async with TaskGroup() as tasks:
        life = OutboxLife(
            tasks, MemoryJournal(), lambda call: None if call.get("begin", True) else done()
        )
        life.welcome()
        sending = tasks.create_task(life.send("k"))
        await until(lambda: life.calls)
        life.settle(PeerGone(KEY, maybe_executed=True))  # the link, not the account
        assert (await sending).state == "sent"
        assert len(life.sent) == 1


@pytest.mark.parametrize("dies", [True, False], ids=["it has died", "it is busy"])
async def test_a_question_that_has_not_gone_out_is_no_answer(
    dies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for "not sent" once, and what had been sent was sent again."""
    monkeypatch.setattr(attempts, "ASK_AGAIN_SECONDS", 0.01)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = OutboxLife(tasks, journal, lambda call: None)
        first.welcome()
        await first.send("k", queue=True)
        await until(lambda: first.calls)
        first.end()

        def worker(call: dict[str, Any]) -> Any:
            if len(second.calls) > 1:
                return done()
            if dies:
                second.report(2)
            return NotAsked(f"{KEY} is not connected")

        second = OutboxLife(tasks, journal, worker)
        second.welcome()
        row = await second.send("k")
        begun = [call.get("begin", True) for call in second.calls]
        if dies:
            assert (row.state, row.error, begun) == ("unknown", DIED, [False])
        else:
            assert (row.state, row.attempts, begun) == ("sent", 1, [False, False])


async def test_a_call_that_has_not_gone_out_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "FIRST_BACKOFF_SECONDS", 0.01)
    async with TaskGroup() as tasks:
        life = OutboxLife(
            tasks,
            MemoryJournal(),
            lambda call: done() if call["attempt"] > 1 else NotAsked("the account is busy"),
        )
        life.welcome()
        row = await life.send("k")
    assert (row.state, row.attempts) == ("sent", 2)


async def test_an_attempt_begins_with_the_first_part_that_was_not_sent() -> None:
    part = {"id": "p1", "chat": "ada", "ts": 5}
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, lambda call: None)
        life.welcome()
        sending = tasks.create_task(life.send("k"))
        await until(lambda: life.calls)
        life.progress("k", 1, ["one", "two"], [])
        life.progress("k", 1, [], [part])
        life.progress("k", 7, ["other"], [])  # another attempt's: too late
        life.settle(refusal(after=0, reason="unavailable"))
        await until(lambda: len(life.calls) == 2)
        again = life.calls[1]
        assert (again["attempt"], again["texts"], again["sent"]) == (2, ["one", "two"], [part])
        life.settle({"sent": [part, {"id": "p2", "chat": "ada", "ts": 6}]})
        row = await sending
    assert [each.id for each in row.sent] == ["p1", "p2"]
