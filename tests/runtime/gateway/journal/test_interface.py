"""What every journal does, whichever keeps it: in memory or in a file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.journal.records import (
    Final,
    Identified,
    Kept,
    Left,
    Marked,
    Place,
    Settled,
    StoredAnswer,
)
from tests.support.journals import KEY, KINDS, arrived, everything, journal_of, store
from tests.support.short_directory import ShortDirectory

both = pytest.mark.parametrize("kind", KINDS)


@both
async def test_what_is_stored_can_be_read_by_cursor(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a", "b", "c"), arrived(4, "d"))
        assert await everything(journal) == ["1:1 a", "1:2 b", "1:3 c", "1:4 d"]
        assert await everything(journal, after=(1, 2)) == ["1:3 c", "1:4 d"]
        assert await everything(journal, after=(1, 4)) == []
        assert await everything(journal, "irc:oftc") == []
        assert (await journal.after(KEY, (1, 0))).complete
        assert not (await journal.after(KEY, (0, 7))).complete
        assert not (await journal.after("irc:oftc", (1, 0))).complete


@both
async def test_a_record_is_not_stored_before_the_flush(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        done: list[Kept | None] = []
        journal.append(arrived(1, "a"), done.append)
        assert journal.place(KEY) is None
        assert done == []
        await store(journal, arrived(2, "b"))
        assert [kept.repeated for kept in done if kept] == [0]
        place = journal.place(KEY)
        assert place is not None
        assert place.newest == (1, 2)


@both
async def test_a_repeated_message_is_kept_once_and_named_by_the_next(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a", "b"))
        kept = await store(journal, arrived(3, "b", "c", "a", "c", "d"), arrived(8, "d"))
        assert [each.repeated for each in kept if each] == [3, 1]
        assert await everything(journal) == [
            "1:1 a",
            "1:2 b",
            "1:4 c skips [3]",
            "1:7 d skips [[5, 6]]",
        ]
        await store(journal, arrived(9, "e"))
        assert (await everything(journal))[-1] == "1:9 e skips [8]"


@both
async def test_a_message_of_an_earlier_incarnation_is_repeated_and_its_skips_are_not(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a"), arrived(2, "a"))
        await store(journal, arrived(1, "b", "a", incarnation=2), arrived(3, "c", incarnation=2))
        assert await everything(journal) == ["1:1 a", "2:1 b", "2:3 c skips [2]"]


@both
async def test_accounts_do_not_share_their_ids(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a"), arrived(1, "a", key="irc:oftc"))
        assert await everything(journal) == ["1:1 a"]
        assert await everything(journal, "irc:oftc") == ["1:1 a"]


@both
async def test_a_cursor_is_stored_with_its_messages_or_alone(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a", cursor=b'"one"'), arrived(2, "b"))
        place = journal.place(KEY)
        assert place is not None
        assert place.cursor == b'"one"'
        await store(journal, Marked(KEY, b'"two"'))
        place = journal.place(KEY)
        assert place is not None
        assert place.cursor == b'"two"'


@both
async def test_a_cursor_of_another_identity_is_dropped(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a", cursor=b"1"), Identified(KEY, "bot-1"))
        place = journal.place(KEY)
        assert place is not None
        assert (place.cursor, place.identity, place.lost_identity) == (b"1", "bot-1", "")
        await store(journal, Identified(KEY, "bot-2"))
        place = journal.place(KEY)
        assert place is not None
        assert (place.cursor, place.identity, place.lost_identity) == (b"", "bot-2", "bot-1")


@both
async def test_what_came_without_the_journal_is_a_gap(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a"), Left(KEY))
        await store(journal, arrived(1, "b", incarnation=3))
        assert not (await journal.after(KEY, (1, 1))).complete
        assert (await journal.after(KEY, (3, 0))).complete
        await store(journal, arrived(5, "c", incarnation=3))
        assert not (await journal.after(KEY, (3, 1))).complete


@both
async def test_an_answer_stays_until_it_is_settled(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        first, second = StoredAnswer("echo:1:1", b'{"n":1}'), StoredAnswer("echo:1:2", b'{"n":2}')
        await store(journal, arrived(1, "a", "b"), Final(KEY, (1, 2), [first, second], at=9))
        place = journal.place(KEY)
        assert place is not None
        assert place.settled == (1, 2)
        assert await journal.answers(KEY) == [(9, first), (9, second)]
        await store(journal, Settled(KEY, "echo:1:1"))
        assert await journal.answers(KEY) == [(9, second)]
        assert await journal.answers("irc:oftc") == []


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6), max_size=8))
def test_both_journals_keep_the_same(batches: list[list[str]]) -> None:
    async def kept(kind: str, directory: Path) -> tuple[list[str], Place | None]:
        async with journal_of(kind, directory) as journal:
            number = 1
            for ids in batches:
                await store(journal, arrived(number, *ids))
                number += len(ids)
            return await everything(journal), journal.place(KEY)

    results = []
    for kind in KINDS:
        with (
            ShortDirectory() as directory,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            results.append(runner.run(kept(kind, directory)))
    assert results[0] == results[1]
    ids = [each.split()[1] for each in results[0][0]]
    assert len(ids) == len(set(ids)) == len(set().union(*batches))
