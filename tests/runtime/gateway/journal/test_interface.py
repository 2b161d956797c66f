"""What every journal does, whichever keeps it: in memory or in a file."""

from __future__ import annotations

import asyncio
import inspect
import time
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from ipc.nesting import decode_json
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.memory import MemoryJournal
from runtime.gateway.journal.outgoing import (
    Attempt,
    Delivered,
    Discarded,
    GivenUp,
    Known,
    OutgoingMessage,
    PartsRendered,
    PartsSent,
    Postponed,
    Queued,
    Released,
)
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.records import (
    Answered,
    Identified,
    Kept,
    Left,
    Marked,
    Outcome,
    Place,
    Record,
    Withheld,
)
from runtime.gateway.journal.redacting import REDACTED
from runtime.gateway.journal.stored import StoredJournal
from tests.support.journals import (
    KEY,
    KINDS,
    arrived,
    everything,
    journal_of,
    open_messages,
    outgoing,
    store,
)
from tests.support.short_directory import ShortDirectory
from workers.messages import Outbound, Sent

INTERFACE = [
    name
    for name, value in vars(Journal).items()
    if inspect.isfunction(value) and not name.startswith("_")
]
both = pytest.mark.parametrize("kind", KINDS)
# Texts that something on the way could take for another; NUL is in no ``workers.messages.Id``.
ANY_TEXT = ["1", "1.0", "01", "true", "null", "[1]", '{"a":1}', "'", '"', "\\", "\\u0000", "\\\\"]
ANY_TEXT += [
    " ",
    "a",
    "A",
    "a ",
    "\x01",
    "\x7f",
    "\u2028",
    "é",
    "e\u0301",
    "🎈",
    "\ufffe",
    "\ufffd",
    "%",
]
ANY_TEXT += ["x" * 512, "x" * 511, "🎈" * 512]

NOW = int(time.time() * 1000)  # what is old is forgotten at once
STEPS: list[Record] = [
    Queued(KEY, outgoing("k", text="again")),
    Attempt(KEY, "k", 2, 9, 70, 60),
    Postponed(KEY, "k", 500, "unavailable", "the server is away"),
    PartsRendered(KEY, "k", b'["first","second"]'),
    PartsSent(KEY, "k", [Sent("p1", "ada", 5), Sent("p2", "ada", 6, 2)]),
    Delivered(KEY, "k", [Sent("p1", "ada", 5)]),
    GivenUp(KEY, "k", "unknown", letter=True),
    GivenUp(KEY, "k", "failed", "invalid", "no"),
    Released(KEY, "k", NOW, NOW + 1000, "queue"),
    Discarded(KEY, "k"),
    Attempt(KEY, "never queued", 1, 1, 1, 1),
]


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
        done: list[Outcome] = []
        journal.append(arrived(1, "a"), done.append)
        assert journal.place(KEY) is None
        assert done == []
        await store(journal, arrived(2, "b"))
        assert [kept.repeated for kept in done if isinstance(kept, Kept)] == [0]
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
        assert [each.repeated for each in kept if isinstance(each, Kept)] == [3, 1]
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
async def test_ids_and_keys_of_any_text_are_told_apart(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        (kept,) = await store(journal, arrived(1, *ANY_TEXT))
        (again,) = await store(journal, arrived(len(ANY_TEXT) + 1, *ANY_TEXT))
        assert isinstance(kept, Kept)
        assert isinstance(again, Kept)
        assert (kept.repeated, again.repeated) == (0, len(ANY_TEXT))
        queued: list[Record] = [Queued(KEY, outgoing(each)) for each in ANY_TEXT]
        assert await store(journal, *queued) == [None] * len(ANY_TEXT)
        assert [each.row.key for each in await journal.outgoing(KEY)] == ANY_TEXT
        for text, outcome in zip(ANY_TEXT, await store(journal, *queued), strict=True):
            assert isinstance(outcome, Known)
            assert list(outcome.rows) == [text]
        await store(journal, PeopleChanged(KEY, [Person(each) for each in ANY_TEXT]))
        assert {each.sender for each in await journal.people(KEY)} == {*ANY_TEXT}


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
async def test_what_is_to_be_sent_stays_until_it_was(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        first, second, third = (outgoing(name) for name in ("one", "two", "three"))
        answers = Answered(KEY, (1, 2), [first, second])
        await store(journal, arrived(1, "a", "b"), answers, Queued(KEY, third))
        place = journal.place(KEY)
        assert place is not None
        assert place.settled == (1, 2)
        assert await open_messages(journal, KEY) == [first, second, third]
        await store(journal, Delivered(KEY, "one", [Sent("p1", "ada", 5)]))
        await store(journal, GivenUp(KEY, "two", "failed", "blocked", "she has left"))
        assert await open_messages(journal, KEY) == [third]
        assert await open_messages(journal, "irc:oftc") == []


@both
async def test_each_step_of_a_send_is_kept(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        before = outgoing("k")
        texts, sent = b'["first","second"]', [Sent("p1", "ada", 5)]
        await store(
            journal,
            Queued(KEY, before),
            Attempt(KEY, "k", 1, 9, 70, 70),
            PartsRendered(KEY, "k", texts),
            PartsSent(KEY, "k", sent),
            Postponed(KEY, "k", 500, "rate_limited", "too fast"),
        )
        (after,) = await open_messages(journal, KEY)
        assert after == OutgoingMessage(
            replace(
                before.row,
                attempts=1,
                incarnation=9,
                first_attempt=70,
                last_attempt=70,
                next=500,
                reason="rate_limited",
                error="too fast",
                sent=sent,
            ),
            before.message,
            texts,
        )
        await store(journal, Attempt(KEY, "k", 2, 9, 90, 70))
        (again,) = await open_messages(journal, KEY)
        assert (again.row.state, again.row.attempts, again.row.first_attempt) == (
            "attempting",
            2,
            70,
        )
        assert again.texts == texts


@both
async def test_a_key_is_known_as_long_as_its_row_whatever_became_of_it(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        first = outgoing("k")
        sent = [Sent("p1", "ada", 5)]
        outcomes = await store(
            journal, Queued(KEY, first), Queued(KEY, outgoing("k", text="another"))
        )
        assert outcomes == [None, Known({"k": first.row})]
        await store(journal, Delivered(KEY, "k", sent))
        done = replace(first.row, state="sent", sent=sent)
        again, other, beside = await store(
            journal,
            Answered(KEY, (1, 1), [outgoing("k"), outgoing("new")]),
            Queued("irc:oftc", outgoing("k")),
            arrived(1, "a"),
        )
        assert again == Known({"k": done})
        assert other is None
        assert beside is not None
        assert [each.row.key for each in await open_messages(journal, KEY)] == ["new"]


@both
async def test_dead_letters_wait_for_a_person(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        for name, at in (("b", 2), ("a", 1), ("c", 3)):
            await store(journal, Queued(KEY, outgoing(name, at=NOW + at)))
        await store(
            journal,
            GivenUp(KEY, "b", "unknown", "", "the account has died", letter=True),
            GivenUp(KEY, "a", "failed", "blocked", "she has left", letter=True),
            GivenUp(KEY, "c", "expired"),
        )
        found = await journal.letters(10)
        assert [(key, row.key, row.state) for key, row in found] == [
            (KEY, "a", "failed"),
            (KEY, "b", "unknown"),
        ]
        assert len(await journal.letters(1)) == 1
        wanted = [(KEY, "a"), (KEY, "d"), ("irc:oftc", "a")]
        text = decode_json(outgoing("a").message, Outbound).text
        assert await journal.beginnings(wanted, 200) == {(KEY, "a"): text}
        assert await journal.beginnings(wanted, 1) == {(KEY, "a"): text[:1]}
        letter = await journal.sent_by(KEY, "b")
        assert letter is not None
        assert await journal.letter("id-b") == (KEY, letter)
        assert await journal.letter("id-c") is None, "an expired message is no dead letter"
        assert (letter.row.letter, letter.message) == (True, outgoing("b").message)
        assert await journal.sent_by(KEY, "d") is None
        assert await journal.sent_by("irc:oftc", "b") is None
        assert await open_messages(journal, KEY) == []
        await store(journal, Released(KEY, "b", NOW, NOW + 900, "queue"), Discarded(KEY, "a"))
        assert await journal.letters(10) == []
        assert await journal.letter("id-b") is None
        assert await journal.beginnings(wanted, 200) == {}  # of what is given up nothing is kept
        (again,) = await open_messages(journal, KEY)
        assert (again.row.key, again.row.expires, again.row.letter) == ("b", NOW + 900, False)
        assert again.message == outgoing("b").message


@pytest.mark.parametrize("kind", [MemoryJournal, StoredJournal])
@pytest.mark.parametrize("name", INTERFACE)
def test_a_method_is_spelled_as_in_the_interface(kind: type, name: str) -> None:
    wanted, found = getattr(Journal, name), getattr(kind, name)
    assert inspect.signature(found) == inspect.signature(wanted)
    first, same = ((inspect.getdoc(each) or "").split("\n")[0] for each in (wanted, found))
    assert same == first


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_both_journals_keep_the_same_rows(steps: list[Record]) -> None:
    async def kept(kind: str, directory: Path) -> object:
        async with journal_of(kind, directory) as journal:
            first = outgoing("k", at=NOW, expires=NOW + 60_000)
            outcomes = await store(journal, Queued(KEY, first), *steps)
            return outcomes, await open_messages(journal, KEY), await journal.sent_by(KEY, "k")

    results = []
    for kind in KINDS:
        with (
            ShortDirectory() as directory,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            results.append(runner.run(kept(kind, directory)))
    assert results[0] == results[1]


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


@both
async def test_what_was_not_admitted_is_without_its_text_once_the_position_is_settled(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await store(journal, arrived(1, "a", "b", "c"), arrived(1, "d", incarnation=2))
        drops = [Withheld((1, 2), "blocked"), Withheld((2, 1), "bot"), Withheld((1, 7), "bot")]
        await store(journal, Answered(KEY, (2, 1), redactions=drops, heard=(2, 1)))
        assert await everything(journal) == ["1:1 a", "1:2 b", "1:3 c", "2:1 d"]
        page = await journal.after(KEY, (0, 0))
        events = [json.decode(each) for _, _, part in page.parts for each in part.payloads]
        assert [each["message"]["text"] for each in events] == ["text 1", "", "text 3", ""]
        assert [each.get("dropped") for each in events] == [None, "blocked", None, "bot"]
        flags = [flag for _, _, part in page.parts for flag in part.flags]
        assert [bool(each & REDACTED) for each in flags] == [False, True, False, True]
        place = journal.place(KEY)
        assert place is not None
        assert (place.settled, place.heard) == ((2, 1), (2, 1))
        remains = [part.payloads for _, _, part in page.parts]
        assert place.withheld == len(remains[0][1]) + len(remains[1][0])
        await store(journal, Answered(KEY, (2, 1), redactions=drops))  # nothing is counted twice
        assert journal.place(KEY) == place
        kept = await store(journal, arrived(2, "b", incarnation=2))  # its id is known all the same
        assert [each.repeated for each in kept if isinstance(each, Kept)] == [1]
