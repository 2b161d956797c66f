"""The conversations in memory, and what of them an agent is given."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ipc.epoch import now_ms
from runtime.config.sessions import ResetConfig
from runtime.gateway.journal.conversations import EntriesAdded, Session, TranscriptEntry
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.records import Marked
from runtime.gateway.journal.runs import Recorded
from runtime.gateway.runs import sessions
from runtime.gateway.runs.overheard import FramePosition, Overheard
from runtime.gateway.runs.sessions import BoundedEntries, SessionCache
from tests.support.journals import store

KEY = "agent:echo:main"


def entry(text: str, number: int = 0) -> TranscriptEntry:
    return TranscriptEntry("user", text, at=1, number=number)


def test_the_oldest_entries_give_way_to_what_is_too_many_or_too_long() -> None:
    few = BoundedEntries(2, 1000)
    for text in ("one", "two", "three"):
        few.add(entry(text))
    assert [each.text for each in few] == ["two", "three"]
    small = BoundedEntries(10, 200)
    for text in ("one", "x" * 150):
        small.add(entry(text))
    assert [each.text for each in small] == ["x" * 150]
    small.add(entry("y" * 1000))  # the newest stays, however long it is
    assert len(small) == 1


async def test_a_conversation_is_read_from_the_journal_since_it_began_anew() -> None:
    journal = MemoryJournal()
    session = Session(KEY, "echo", since=1)
    said = [entry("before"), entry("after")]
    await store(journal, EntriesAdded("agent:echo", KEY, said, session))
    known = SessionCache(lambda: journal)
    assert known.find(KEY) is None
    conversation = await known.open(KEY, "echo", 5)
    assert conversation.session == session
    assert [each.text for each in conversation.history()] == ["after"]
    assert await known.open(KEY, "echo", 6) is conversation


async def test_a_conversation_that_begins_anew_forgets_and_has_another_id() -> None:
    known = SessionCache(MemoryJournal)
    conversation = await known.open(KEY, "echo", 5)
    conversation.extend([entry("one", 7), entry("two", 8)])
    conversation.context.add(entry("heard"))
    known.reset_conversation(conversation, 9)
    assert (conversation.history(), list(conversation.context)) == ([], [])
    assert (conversation.session.since, conversation.session.updated) == (8, 9)
    assert conversation.session.id
    known.forget(KEY)
    assert known.find(KEY) is None


async def test_what_was_being_stored_when_a_conversation_began_anew_is_of_before() -> None:
    journal = MemoryJournal()
    known = SessionCache(lambda: journal)
    conversation = await known.open(KEY, "echo", 5)
    before = conversation.session.id
    known.extend("k", conversation, before, [entry("one")], Recorded({}, first=4))
    assert [(each.text, each.number) for each in conversation.entries] == [("one", 4)]
    known.reset_conversation(conversation, 9)
    known.extend("k", conversation, before, [entry("two"), entry("three")], Recorded({}, first=5))
    assert (conversation.history(), conversation.session.since) == ([], 6)
    await store(journal, Marked("k", b"0"))
    session = await journal.session(KEY)
    assert session is not None
    assert session.since == 6


async def test_a_conversation_rests_only_where_it_begins_anew_by_itself() -> None:
    known = SessionCache(MemoryJournal)
    conversation = await known.open(KEY, "echo", 0)
    conversation.session = replace(conversation.session, runs=1, updated=0)
    assert not known.is_reset_due(conversation, 10**12)
    known.reset = ResetConfig(idle_minutes=1)
    assert [known.is_reset_due(conversation, at) for at in (59_999, 60_000)] == [False, True]


async def test_no_more_conversations_are_in_memory_than_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MAX_CONVERSATIONS", 2)
    known = SessionCache(lambda: None)
    for name in ("a", "b", "c"):
        await known.open(name, "echo", 1)
    assert [known.find(name) is not None for name in ("a", "b", "c")] == [False, True, True]


async def test_what_all_transcripts_take_in_memory_is_bounded_and_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MAX_HELD_BYTES", 3 * (sessions.ENTRY_BYTES + 1000))
    journal = MemoryJournal()
    known = SessionCache(lambda: journal)
    for name in ("a", "heard", "b", "c", "d"):
        conversation = await known.open(name, "echo", 1)
        if name == "heard":
            conversation.context.add(entry("in a group"))
        said = [entry("x" * 800)]
        changed = EntriesAdded("agent:echo", name, said, conversation.session)
        (outcome,) = await store(journal, changed)
        known.extend("agent:echo", conversation, conversation.session.id, said, outcome)
    there = [name for name in ("a", "heard", "b", "c", "d") if known.find(name) is not None]
    assert there == ["heard", "c", "d"]
    assert [len(each.text) for each in (await known.open("a", "echo", 2)).entries] == [800]
    for name in ("heard", "c", "d"):
        known.forget(name)
    await known.open("b", "echo", 3)
    assert known.find("a") is not None  # there is room again


async def test_a_person_is_erased_from_memory_and_nobody_else() -> None:
    known = SessionCache(MemoryJournal)
    place: dict[str, Any] = {"account": "irc:libera", "channel": "irc"}
    rows = [
        Session("agent:echo:irc:direct:ada", "echo", "1", to="ada", summary="hers", **place),
        Session("agent:echo:main", "echo", "2", kind="main", to="ada", summary="hers", **place),
        Session("agent:echo:room", "echo", "3", kind="group", to="#a", summary="hers", **place),
        Session("agent:echo:hall", "echo", "4", kind="group", to="#b", summary="bob's", **place),
    ]
    direct, main, room, hall = [await known.open(each.key, "echo", 5) for each in rows]
    for each, session in zip((direct, main, room, hall), rows, strict=True):
        each.session = session
        each.extend([replace(entry("bob's", 1), sender="bob", chat=session.to + "?")])
    main.extend([replace(entry("to her", 2), chat="ada")])
    room.extend([replace(entry("hers", 3), sender="ada", chat="#a")])
    for number, sender in enumerate(("bob", "ada", "bob")):
        heard = Overheard((1, number), now_ms())
        known.overheard.add("irc:libera", heard)
        said = replace(entry(f"heard {number}"), sender=sender)
        hall.context.add(said, FramePosition("irc:libera", heard.cursor))
    known.erase("ada", {"irc:libera": {"ada"}})
    assert known.find(direct.session.key) is None
    assert (main.session.to, main.session.summary, main.session.id) == ("", "", "2")
    assert (room.session.to, room.session.summary) == ("#a", "")
    assert hall.session == rows[3]
    assert [[each.text for each in found.entries] for found in (main, room)] == [["bob's"]] * 2
    assert [each.text for each in hall.context] == ["heard 0", "heard 2"]
    due = known.overheard.pop_due("irc:libera", now_ms())
    assert [each.cursor for each in due] == [(1, 1)]
    assert [each.cursor for each in hall.context.clear()] == [(1, 0), (1, 2)]
