"""What every journal keeps of sessions and transcripts, in memory or in a file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from runtime.config.sessions import KEY_WORDS, PeerKind
from runtime.gateway.conversations.session_keys import kind_of
from runtime.gateway.journal.conversations import (
    EntriesAdded,
    SessionChanged,
    SessionDeleted,
    SessionFilter,
)
from runtime.gateway.journal.database import Database
from runtime.gateway.journal.reader import JournalReader
from runtime.gateway.journal.runs import (
    Recorded,
)
from tests.support.conversations import NOW, TALK, said, talk
from tests.support.journals import KEY, KINDS, journal_of, store
from tests.support.short_directory import ShortDirectory

both = pytest.mark.parametrize("kind", KINDS)

OTHER = "agent:echo"  # the key of what clients ask
THERE = SessionFilter(account=KEY, to="#a")
OF_CHATS = [
    "agent:echo:direct:ada",
    "agent:echo:irc:direct:ada",
    "agent:echo:irc:libera:direct:ada:thread:#a:t1",
    "agent:echo:irc:group:#a",
    "agent:echo:slack:work:channel:C1:thread:17.5",
]
# Much of them looks like a key of a chat.
OF_NO_CHAT = [
    "agent:echo:my:own:notes:direct:ada",
    "agent:echo:group:#a",
    "agent:echo:irc:group:#a:notes",
    "agent:echo:cron:group:run:direct",
    "agent:echo:main:direct:ada",
    "x:irc:direct:ada",
]


@both
async def test_sessions_are_found_by_what_they_are(kind: str, tmp_path: Path) -> None:
    rows = [
        talk("agent:echo:main", updated=NOW + 30, label="Garden", settings={"model": "m"}),
        talk(
            TALK,
            updated=NOW + 20,
            id="s2",
            kind="direct",
            channel="irc",
            account=KEY,
            to="ada",
            thread="t",
        ),
        talk("agent:ops:main", agent="ops", updated=NOW + 10, archived=True, usage={"input": 7}),
        talk("agent:ops:b", agent="ops", updated=NOW + 10, pinned=True),
        talk("agent:echo:cron:j", updated=NOW + 5, account=KEY, to="ada"),
    ]
    asked_for = {
        SessionFilter(): [0, 1, 3, 2, 4],
        SessionFilter(agent="ops"): [3, 2],
        SessionFilter(id="s2"): [1],
        SessionFilter(label="Garden"): [0],
        SessionFilter(label=""): [1, 3, 2, 4],
        SessionFilter(text="MAIN"): [0, 2],
        SessionFilter(text="garD"): [0],
        SessionFilter(archived=True): [2],
        SessionFilter(archived=False, agent="ops"): [3],
        SessionFilter(since=NOW + 20): [0, 1],
        SessionFilter(account=KEY): [1, 4],
        SessionFilter(account=KEY, to="ada"): [1],
        SessionFilter(account=KEY, to="bob"): [],
    }
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, *[SessionChanged(KEY, each) for each in rows])
        for which, expected in asked_for.items():
            found = await journal.sessions(which, 10)
            assert found == ([rows[each] for each in expected], len(expected)), which
        assert await journal.sessions(SessionFilter(), 2, 1) == ([rows[1], rows[3]], 5)
        changed = replace(rows[0], label="", updated=NOW + 40)
        await store(journal, SessionChanged(OTHER, changed))
        assert await journal.session("agent:echo:main") == changed
        assert await journal.session("agent:echo:none") is None


@both
async def test_entries_are_read_from_both_ends(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        outcomes = await store(
            journal,
            EntriesAdded(KEY, TALK, said("one", "two")),
            EntriesAdded(OTHER, "agent:echo:main", said("beside")),
            EntriesAdded(OTHER, TALK, said("three", "four\0 \N{SNOWMAN}", usage={"n": 1}), talk()),
        )
        assert outcomes == [Recorded({}, first=each) for each in (1, 3, 4)]

        async def read(limit: int, after: int | None = None, before: int | None = None) -> str:
            found = await journal.entries(TALK, limit, after=after, before=before)
            return " ".join(str(each.number) for each in found)

        assert await read(10) == "1 2 4 5"
        assert await read(2) == "4 5"
        assert await read(2, before=5) == "2 4"
        assert await read(2, after=1) == "2 4"
        assert await read(2, after=0) == "1 2"
        assert await read(9, after=5) == await read(9, before=1) == ""
        last = (await journal.entries(TALK, 1))[0]
        assert (last.text, last.usage, last.role) == ("four\0 \N{SNOWMAN}", {"n": 1}, "assistant")


@both
async def test_a_deleted_session_keeps_nothing_and_its_numbers_are_not_used_again(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, EntriesAdded(KEY, TALK, said("one", "two"), talk()))
        await store(journal, SessionDeleted(OTHER, TALK), SessionDeleted(OTHER, "never was"))
        assert await journal.session(TALK) is None
        assert await journal.entries(TALK, 10) == []
        (again,) = await store(journal, EntriesAdded(OTHER, TALK, said("three")))
        assert again == Recorded({}, first=3)
        assert [each.text for each in await journal.entries(TALK, 10)] == ["three"]


@both
async def test_a_chat_has_the_sessions_whose_keys_are_of_chats(kind: str, tmp_path: Path) -> None:
    rows = [talk(each, account=KEY, to="#a") for each in OF_CHATS + OF_NO_CHAT]
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, *[SessionChanged(KEY, each) for each in rows])
        found, total = await journal.sessions(THERE, 100)
        assert [each.key for each in found] == sorted(OF_CHATS)
        assert total == len(OF_CHATS)


tokens = st.sampled_from(sorted(KEY_WORDS | {"irc", "libera", "#a", "%-", "~ada"}))
names = st.lists(tokens, min_size=1, max_size=6).map(lambda each: f"agent:echo:{':'.join(each)}")


@settings(max_examples=20, deadline=None)
@given(st.sets(names | st.text(max_size=9).filter(str.isprintable), min_size=1, max_size=30))
def test_the_tables_read_a_key_as_the_rest_of_the_gateway_does(keys: set[str]) -> None:
    rows = [talk(each, account=KEY, to="#a") for each in sorted(keys)]
    with ShortDirectory() as place:
        path = place / "journal.db"
        with closing(Database(path)) as database, closing(JournalReader(path)) as reader:
            database.store([SessionChanged(KEY, each) for each in rows])
            found, _ = reader.sessions(THERE, 100, 0)
    assert found == [each for each in rows if THERE.matches(each)]
    assert found == [each for each in rows if kind_of(each.key) in get_args(PeerKind)]
