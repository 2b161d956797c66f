"""Answers to the messages of journaled accounts: each once, over restarts of the gateway."""

from __future__ import annotations

import time
from asyncio import TaskGroup
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import IpcError, PeerGone, RemoteError
from ipc.frames.words import UNAVAILABLE
from runtime.gateway.accounts import answering
from runtime.gateway.accounts.agents import MEANT, Agents
from runtime.gateway.accounts.answering import Answering
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.records import Arrived
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, journal_of, store
from tests.support.until import until


class Gatewayish:
    """What answers in one life of a gateway: its calls are recorded, or fail with ``error``."""

    def __init__(self, tasks: TaskGroup, journal: Journal, agent: str = "echo") -> None:
        self.journal = journal
        self.jobs = Jobs(tasks)
        self.sent: list[str] = []
        self.error: IpcError | None = None
        self.agents = Agents({"default": agent}, self.jobs, self.call)
        self.answering = Answering(
            self.agents, self.jobs, self.call, lambda: journal, journal.flush
        )

    async def call(self, key: str, method: str, params: bytes, seconds: float) -> bytes:
        if self.error is not None:
            raise self.error
        self.sent.append(msgspec.json.decode(params)["key"])
        return b"{}"

    async def hears(self, first: int, count: int = 1, at: float | None = None) -> None:
        """Store messages, and hand them on as the intake does."""
        now = int((time.time() if at is None else at) * 1000)
        some = [payload(KEY, number) for number in range(first, first + count)]
        ids: list[str | None] = [f"m{number}" for number in range(first, first + count)]
        record = Arrived(KEY, 1, first, bytes([MEANT]) * count, some, ids, at=now)
        (kept,) = await store(self.journal, record)
        assert kept is not None
        for part in kept.parts:
            self.answering.on_stored(KEY, 1, now, part)

    async def pending(self) -> list[str]:
        return [answer.key for _, answer in await self.journal.answers(KEY)]

    async def rests(self) -> None:
        """Wait until nothing is under way."""
        assert await self.jobs.finish(5)
        self.journal.flush()

    @property
    def failed(self) -> dict[str, int]:
        return {reason: count for reason, count in self.agents.failed.items() if count}


async def test_messages_are_answered_in_order_and_settled() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = Gatewayish(tasks, journal)
        life.answering.welcomed(KEY)
        await life.hears(1, 3)
        await life.hears(4)
        await until(lambda: len(life.sent) == 4)
        await life.rests()
    assert life.sent == [f"echo:1:{number}" for number in range(1, 5)]
    assert await life.pending() == []
    place = journal.place(KEY)
    assert place is not None
    assert place.settled == (1, 4)


async def test_the_next_gateway_answers_what_was_stored_and_not_answered() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = Gatewayish(tasks, journal)
        await first.hears(1, 2)  # no account is there yet, and then it is killed
        second = Gatewayish(tasks, journal)
        second.answering.welcomed(KEY)
        await until(lambda: len(second.sent) == 2)
        await second.rests()
        third = Gatewayish(tasks, journal)
        third.answering.welcomed(KEY)
        await third.rests()
    assert (first.sent, second.sent, third.sent) == ([], ["echo:1:1", "echo:1:2"], [])


@pytest.mark.parametrize("kind", ["memory", "stored"])
async def test_an_answer_that_was_under_way_is_sent_again_with_its_key(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal, TaskGroup() as tasks:
        first = Gatewayish(tasks, journal)
        first.answering.welcomed(KEY)
        first.error = PeerGone("the account", maybe_executed=True)
        await first.rests()
        first.answering.close()
        await first.hears(1)
        second = Gatewayish(tasks, journal)
        second.answering.welcomed(KEY)
        await until(lambda: second.sent)
        await second.rests()
        assert second.sent == ["echo:1:1"]


async def test_an_account_that_cannot_take_an_answer_gets_it_with_its_next_welcome() -> None:
    async with TaskGroup() as tasks:
        life = Gatewayish(tasks, MemoryJournal())
        life.error = RemoteError(UNAVAILABLE, "not connected", retryable=True)
        life.answering.welcomed(KEY)
        await life.hears(1)
        await until(lambda: not life.jobs)
        await life.rests()
        assert await life.pending() == ["echo:1:1"]
        life.error = None
        life.answering.welcomed(KEY)
        await until(lambda: life.sent)
        await life.rests()
        assert life.sent == ["echo:1:1"]
        life.answering.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RemoteError("INVALID_REQUEST", "no such chat"), "send"),
        (PeerGone("the account", maybe_executed=True), "unknown"),
    ],
)
async def test_what_cannot_be_sent_is_settled_and_counted(error: IpcError, reason: str) -> None:
    async with TaskGroup() as tasks:
        life = Gatewayish(tasks, MemoryJournal())
        life.error = error
        life.answering.welcomed(KEY)
        await life.hears(1)
        await until(lambda: life.failed)
        await life.rests()
        await until(lambda: life.journal.commits == 3)
        assert life.failed == {reason: 1}
        assert await life.pending() == []


async def test_what_is_an_hour_old_is_not_answered_any_more() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        first = Gatewayish(tasks, journal)
        await first.hears(1, at=time.time() - 3700)
        await first.hears(2)
        second = Gatewayish(tasks, journal)
        second.answering.welcomed(KEY)
        await until(lambda: second.sent)
        await second.rests()
        assert second.sent == ["echo:1:2"]
        assert second.failed == {"expired": 1}


async def test_what_comes_too_fast_is_read_from_the_journal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "MAX_QUEUED", 2)
    monkeypatch.setattr(answering, "MAX_RUNNING", 3)
    async with TaskGroup() as tasks:
        life = Gatewayish(tasks, MemoryJournal())
        life.answering.welcomed(KEY)
        await life.rests()
        for first in range(1, 40, 2):
            await life.hears(first, 2)
        await until(lambda: len(life.sent) == 40)
        await life.rests()
        assert sorted(life.sent) == sorted({f"echo:1:{number}" for number in range(1, 41)})


async def test_without_an_agent_nothing_is_answered_and_nothing_stored() -> None:
    async with TaskGroup() as tasks:
        life: Any = Gatewayish(tasks, MemoryJournal(), agent="none")
        life.answering.welcomed(KEY)
        await life.hears(1)
        await life.rests()
        assert (life.sent, life.journal.commits) == ([], 1)
