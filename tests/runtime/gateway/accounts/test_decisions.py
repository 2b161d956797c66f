"""Decisions about messages: which are answered, which become context, which lose their text."""

from __future__ import annotations

from asyncio import TaskGroup
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from ipc.frames.data import INBOUND
from ipc.media import account_directory
from runtime.config.access_policy import AccessPolicy
from runtime.gateway.accounts import answering
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.runs import overheard, sessions
from tests.support.journals import KEY
from tests.support.outbox_life import OutboxLife
from tests.support.until import until

STRICT = AccessPolicy(dm="allowlist", allow_from=["person-1"], group="allowlist", groups={})
ROOM: dict[str, Any] = {"chat": {"id": "#room", "kind": "group"}}
FRIEND: dict[str, Any] = {"sender": {"id": "person-1", "verified": True}}
FILE = "a" * 32


async def texts(journal: Journal) -> list[str]:
    """Return the texts of what is stored, ``-reason`` for what was redacted."""
    page = await journal.after(KEY, (0, 0))
    events = [json.decode(each) for _, _, part in page.parts for each in part.payloads]
    return [each["message"]["text"] or f"-{each['dropped']}" for each in events]


async def settled(journal: Journal, number: int) -> None:
    """Wait until the position is there."""
    await until(lambda: (place := journal.place(KEY)) is not None and place.settled == (1, number))


async def test_what_is_not_admitted_loses_its_text_and_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "WITHHELD_SECONDS", 0.01)
    files = account_directory(tmp_path, KEY)
    files.mkdir(parents=True)
    (files / FILE).write_text("x")
    async with TaskGroup() as tasks:
        journal = MemoryJournal()
        life = OutboxLife(tasks, journal, agent="echo", state_dir=tmp_path, policy=STRICT)
        life.welcome()
        await life.hears(1, attachments=[{"url": f"media:{FILE}"}], sender={"id": "eve"})
        await life.hears(2, **ROOM)
        await life.hears(3, flags=INBOUND, **ROOM)  # it names nobody, and is decided about too
        await settled(journal, 3)
        assert await texts(journal) == ["-dm-not-listed", "-group-not-listed", "-group-not-listed"]
        await until(lambda: not (files / FILE).exists())
        await life.hears(4, **FRIEND)
        await until(lambda: life.agents.answered)
        assert (await texts(journal))[-1] == "text 4"
        next_life = OutboxLife(tasks, journal, agent="echo", policy=STRICT)
        next_life.welcome()
        await next_life.rests()
        assert next_life.gatekeeper.figures(KEY) == {}


async def test_nothing_is_redacted_by_a_policy_that_nobody_has_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "MANY_WITHHELD", 1)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.gatekeeper.configure({})
        life.welcome()
        await life.hears(1)
        await life.rests()
        assert life.gatekeeper.figures(KEY) == {"drop": {"dm-disabled": 1}}
        life.answering.close()
        await life.rests()
        assert await texts(journal) == ["text 1"]


async def test_many_are_redacted_at_once_and_the_rest_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "MANY_WITHHELD", 8)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo", policy=STRICT)
        life.welcome()
        await life.hears(1, 8, **ROOM)
        await settled(journal, 8)
        await life.hears(9, 2, **ROOM)
        await life.rests()
        assert set((await texts(journal))[8:]) == {"text 9", "text 10"}
        life.answering.close()
        await settled(journal, 10)
        assert set(await texts(journal)) == {"-group-not-listed"}


async def test_context_keeps_its_text_until_it_was_told_or_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "CONTEXT_ENTRIES", 3)
    monkeypatch.setattr(overheard, "MANY", 2)
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, 5, flags=INBOUND, **ROOM)
        gone = ["-no-mention"] * 2
        await settled(journal, 5)
        assert await texts(journal) == [*gone, "text 3", "text 4", "text 5"]
        second = OutboxLife(tasks, journal, agent="echo")  # it knows what was not told yet
        second.welcome()
        await second.hears(6, **ROOM | {"addressed": True})
        await until(lambda: second.agents.answered)
        said = second.agent.turns[0][1]["history"]
        assert [each["text"] for each in said] == ["text 3", "text 4", "text 5"]
        assert await texts(journal) == ["-no-mention"] * 5 + ["text 6"]


async def test_what_a_direct_chat_says_aside_is_counted_and_told_with_the_next_question() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, flags=INBOUND, addressed=False)
        await life.hears(2)
        await until(lambda: life.agents.answered)
        assert life.gatekeeper.figures(KEY) == {
            "context": {"not-addressed": 1},
            "run": {"open": 1},
        }
        said = life.agent.turns[0][1]["history"]
        assert [each["text"] for each in said] == ["text 1"]


async def test_what_a_server_plays_back_keeps_its_text() -> None:
    """It may name the account: nobody can tell, and a client may be behind."""
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, 3, flags=INBOUND, meta={"history": True}, **ROOM)
        await life.hears(4, **ROOM | {"addressed": True})
        await until(lambda: life.agents.answered)
        assert await texts(journal) == ["text 1", "text 2", "text 3", "text 4"]


async def test_what_cannot_be_context_is_not_kept() -> None:
    journal = MemoryJournal()
    async with TaskGroup() as tasks:
        life = OutboxLife(tasks, journal, agent="echo")
        life.welcome()
        await life.hears(1, flags=INBOUND, text="", attachments=[{"url": ""}], **ROOM)
        await life.hears(2)
        await until(lambda: life.agents.answered)
        assert await texts(journal) == ["-no-mention", "text 2"]
