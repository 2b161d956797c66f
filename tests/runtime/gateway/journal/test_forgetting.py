"""A person is erased from the journal, and from every byte of its files."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ipc.frames.data import INBOUND
from runtime.gateway.journal import forgetting
from runtime.gateway.journal.conversations import EntriesAdded
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.outgoing import Delivered, GivenUp, Queued
from runtime.gateway.journal.records import Arrived, Kept
from runtime.gateway.journal.runs import Recorded, Run, RunEnded, RunOrigin, RunQueued
from tests.support.conversations import NOW, TALK, asked, said, talk
from tests.support.gateway_rig import payload
from tests.support.journals import KEY, KINDS, journal_of, outgoing, store
from workers.messages import Attachment

SECRET, OTHER = "what-ada-had-to-say", "what-bob-had-to-say"
ADA: dict[str, Any] = {
    "sender": {"id": "ada", "name": SECRET},
    "chat": {"id": "dm-1", "kind": "direct"},
}
BOB: dict[str, Any] = {
    "sender": {"id": "bob"},
    "chat": {"id": "room", "kind": "group"},
}


async def fill(journal: Journal, packs: int) -> None:
    """Store packs of both people, and sends that are over."""
    for number in range(packs):
        first = 2 * number + 1
        payloads = [
            payload(KEY, first, text=f"{SECRET} {number} " + "x" * 900, **ADA),
            payload(KEY, first + 1, text=f"{OTHER} {number} " + "y" * 900, **BOB),
        ]
        ids: list[str | None] = [f"m{first}", f"m{first + 1}"]
        now = int(time.time() * 1000)
        await store(journal, Arrived(KEY, 1, first, bytes([INBOUND] * 2), payloads, ids, at=now))
    for key, chat, text in (("k1", "dm-1", SECRET), ("k2", "ada", SECRET), ("k3", "room", OTHER)):
        made = outgoing(key)
        made = replace(made, row=replace(made.row, chat=chat), message=text.encode())
        await store(journal, Queued(KEY, replace(made, message=b'{"text":"%b"}' % text.encode())))
    letter = GivenUp(KEY, "k1", "unknown", "unknown", SECRET, letter=True)
    await store(journal, letter, Delivered(KEY, "k2", []))
    await store(journal, GivenUp(KEY, "k3", "failed", "blocked", OTHER, letter=True))


def found_in(place: Path, text: str) -> list[str]:
    """Return the names of the files in which a text occurs."""
    files = [each for each in place.iterdir() if each.is_file()]
    return sorted(each.name for each in files if text.encode() in each.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_person_is_erased_and_known_again(kind: str, tmp_path: Path) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await fill(journal, 50)
        chats = await journal.chats_of("ada", [KEY, "irc:none"])
        assert chats == {KEY: {"ada", "dm-1"}}
        done = await journal.erase("ada", chats)
        assert (done.messages, done.sends, done.cleaned) == (50, 2, True)
        page = await journal.after(KEY, (1, 0), 1 << 20)
        told = [each for _, _, part in page.parts for each in part.payloads]
        assert (len(told), page.complete) == (100, True)  # none is missing
        text = b"".join(told)
        assert SECRET.encode() not in text
        assert text.count(OTHER.encode()) == 50
        (letter,) = await journal.letters(10)
        assert (letter[1].key, letter[1].error) == ("k3", OTHER)
        sent = await journal.sent_by(KEY, "k1")
        assert sent is not None
        assert (sent.message, sent.row.error, sent.row.state) == (b"", "", "unknown")
        again = Arrived(KEY, 1, 101, bytes([INBOUND]), [payload(KEY, 101, **ADA)], ["m1"])
        (kept,) = await store(journal, again)
        assert isinstance(kept, Kept)
        assert kept.repeated == 1  # its id is known, without a text
        assert (await journal.erase("ada", chats)).messages == 0


async def test_no_byte_of_the_files_keeps_the_person(tmp_path: Path) -> None:
    async with journal_of("stored", tmp_path) as journal:
        await fill(journal, 300)
        assert found_in(tmp_path, SECRET)
        await journal.after(KEY, (1, 0))  # another connection has read
        done = await journal.erase("ada", await journal.chats_of("ada", [KEY]))
        assert done.cleaned
        assert found_in(tmp_path, SECRET) == []  # while it is in use
        assert found_in(tmp_path, OTHER)
    assert found_in(tmp_path, SECRET) == []


async def test_without_cleaning_the_files_would_keep_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "_clean", lambda database: False)
    async with journal_of("stored", tmp_path) as journal:
        await fill(journal, 300)
        done = await journal.erase("ada", await journal.chats_of("ada", [KEY]))
        assert not done.cleaned
        assert found_in(tmp_path, SECRET)


async def talked(journal: Journal) -> None:
    """Store what ada has said in a direct chat, in a group and in a session that others share."""
    origin = RunOrigin(KEY, "dm-1", message="m1", sender="ada")
    there = RunOrigin(KEY, "room", sender="bob")
    files = [Attachment("media:" + "a" * 32)]
    ada, bob = {"chat": "dm-1", "sender": "ada"}, {"chat": "room", "sender": "bob"}
    direct = talk(account=KEY, to="dm-1")
    main = talk("main", kind="main", account=KEY, to="dm-1", channel="irc")
    room = talk("room", kind="group", account=KEY, to="room", summary=SECRET)
    hall = talk("hall", kind="group", account=KEY, to="hall", summary=OTHER)
    ended = partial(RunEnded, KEY, state="final", at=NOW)
    await store(
        journal,
        RunQueued(KEY, asked("r1", SECRET, origin=origin, digest="d")),
        RunQueued(KEY, asked("r2", OTHER, origin=there, session="room")),
        RunQueued("agent:echo", asked("r3", SECRET, origin=RunOrigin(client="cli"))),
        RunQueued(KEY, asked("r4", SECRET, origin=origin)),
        ended(run="r1", session=TALK, answer=SECRET, entries=said(SECRET, **ada), changed=direct),
        ended(run="r2", session="room", answer=OTHER, entries=said(OTHER, **bob), changed=room),
        RunEnded("agent:echo", "r3", TALK, "final", NOW, SECRET, entries=said(SECRET, SECRET)),
        EntriesAdded(KEY, "room", said(SECRET, chat="room", sender="ada", attachments=files)),
        EntriesAdded(KEY, "main", said(OTHER, SECRET, **ada), main),
        EntriesAdded("irc:oftc", "main", said(OTHER, **ada)),
        EntriesAdded(KEY, "hall", said(OTHER, chat="hall", sender="bob"), hall),
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_of_conversations_the_ids_of_runs_stay_and_what_is_of_others(
    kind: str, tmp_path: Path
) -> None:
    async with journal_of(kind, tmp_path) as journal:
        await talked(journal)
        removed: list[Mapping[str, Collection[str]]] = []
        done = await journal.erase("ada", {KEY: {"ada", "dm-1"}}, removed.append)
        assert (done.runs, done.entries, done.sessions) == (2, 6, 1)
        assert [each[KEY] for each in removed] == [["a" * 32]]
        for each in ("r1", "r3"):
            left = Run(each, "forgotten", "echo", state="final", ended=NOW)
            assert await journal.run_of(each) == left
        again = await store(journal, RunQueued(KEY, asked("r1")))
        assert isinstance(again[0], Recorded)
        other = await journal.run_of("r2")
        assert other is not None
        assert (other.answer, other.session) == (OTHER, "room")
        assert [each.id for each in await journal.open_runs(KEY)] == ["r4"]  # it is not over
        assert await journal.session(TALK) is None
        assert await journal.entries(TALK, 9) == []
        assert [each.text for each in await journal.entries("room", 9)] == [OTHER]
        assert [each.text for each in await journal.entries("main", 9)] == [OTHER]
        main = await journal.session("main")
        assert main is not None
        assert (main.to, main.account, main.channel) == ("", "", "")
        rooms = [await journal.session(each) for each in ("room", "hall")]
        assert [each and each.summary for each in rooms] == ["", OTHER]  # she was in one of them
        again_done = await journal.erase("ada", {KEY: {"ada", "dm-1"}})
        assert (again_done.runs, again_done.entries, again_done.sessions) == (0, 0, 0)


async def test_files_that_are_not_removed_are_found_again(tmp_path: Path) -> None:
    chats = {KEY: {"ada", "dm-1"}}
    asked_for: list[Collection[str]] = []

    def refuse(files: Mapping[str, Collection[str]]) -> None:
        asked_for.append(files[KEY])
        raise PermissionError("not allowed")

    async with journal_of("stored", tmp_path) as journal:
        await talked(journal)
        for _ in range(2):
            with pytest.raises(PermissionError):
                await journal.erase("ada", chats, refuse)
        assert asked_for == [["a" * 32]] * 2
        assert (await journal.erase("ada", chats)).entries == 6
