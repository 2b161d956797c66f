"""Keeps a journal in memory: the rules of a journal without a disk."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from ipc.frames.cursors import Cursor
from ipc.nesting import decode_json
from runtime.gateway.journal.base import JournalBase
from runtime.gateway.journal.conversations import (
    EntriesAdded,
    FoundEntry,
    Session,
    SessionChanged,
    SessionDeleted,
    SessionFilter,
    TranscriptEntry,
)
from runtime.gateway.journal.erasing import (
    FORGOTTEN,
    Forgotten,
    RemoveFiles,
    direct_chat,
    erased,
    files_of,
    keep_files,
)
from runtime.gateway.journal.interface import PAGE_BYTES, Done, FramePage, Keep
from runtime.gateway.journal.items import ItemsChanged, KeptItem
from runtime.gateway.journal.outgoing import (
    OpenRow,
    OutgoingMessage,
    OutgoingRow,
    Queued,
    changed_message,
)
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.records import (
    Answered,
    Arrived,
    Identified,
    Left,
    Marked,
    Outcome,
    Part,
    Place,
    Record,
    Withheld,
    add_frames,
    change,
    from_cursor,
    is_complete,
)
from runtime.gateway.journal.redacting import redacted
from runtime.gateway.journal.runs import (
    Run,
    RunEnded,
    RunMerged,
    RunPostponed,
    RunQueued,
    RunSeen,
    RunStarted,
    outcome_of,
)
from runtime.gateway.journal.transcripts import Conversations
from workers.messages import Outbound


class MemoryJournal(JournalBase):
    """A journal that lasts as long as its object; "stored" is one turn of the loop later."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = True
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._frames: defaultdict[str, list[tuple[int, int, Part]]] = defaultdict(list)
        self._outgoing: defaultdict[str, dict[str, OutgoingMessage]] = defaultdict(dict)
        self._people: defaultdict[str, dict[str, Person]] = defaultdict(dict)
        self._conversations = Conversations()
        self._items: dict[tuple[str, str], KeptItem] = {}
        self._queue: list[tuple[Record, Done | None]] = []

    def append(self, record: Record, done: Done | None = None) -> None:
        """Queue a record; ``done`` is called once it is stored, in order per account."""
        self._queue.append((record, done))

    def flush(self) -> None:
        """Begin to store the records appended in this loop iteration."""
        if self._queue:
            asyncio.get_running_loop().call_soon(self._commit)

    async def after(self, key: str, cursor: Cursor, limit_bytes: int = PAGE_BYTES) -> FramePage:
        """Return the first stored frames of an account after ``cursor``."""
        found: list[tuple[int, int, Part]] = []
        size = 0
        more = False
        for incarnation, at, part in self._frames[key]:
            rest = from_cursor(incarnation, part, cursor)
            if rest is None:
                continue
            if found and size > limit_bytes:
                more = True
                break
            found.append((incarnation, at, rest))
            size += sum(map(len, rest.payloads))
        return FramePage(found, more, is_complete(self._places.get(key), cursor))

    async def outgoing(self, key: str) -> list[OpenRow]:
        """Return the unsent messages of an account, oldest first, without contents."""
        found = self._outgoing[key].values()
        return [OpenRow(each.row, each.size) for each in found if each.row.is_open]

    async def letters(self, limit: int) -> list[tuple[str, OutgoingRow]]:
        """Return dead letters with the keys of their accounts, oldest first."""
        found = [
            (key, each.row)
            for key, rows in self._outgoing.items()
            for each in rows.values()
            if each.row.letter
        ]
        return sorted(found, key=lambda each: each[1].at)[:limit]

    async def letter(self, id: str) -> tuple[str, OutgoingMessage] | None:
        """Return a dead letter by its id, with the key of its account."""
        for key, rows in self._outgoing.items():
            for each in rows.values():
                if each.row.letter and each.row.id == id:
                    return key, each
        return None

    async def sent_by(self, key: str, row: str) -> OutgoingMessage | None:
        """Return an account's outgoing message with the key ``row``."""
        return self._outgoing[key].get(row)

    async def beginnings(
        self, rows: Collection[tuple[str, str]], characters: int
    ) -> dict[tuple[str, str], str]:
        """Return the first characters of messages, by account and key of their row."""
        kept = {(key, row): self._outgoing[key].get(row) for key, row in rows}
        return {
            place: decode_json(each.message, Outbound).text[:characters]
            for place, each in kept.items()
            if each is not None and each.message
        }

    async def people(self, key: str) -> list[Person]:
        """Return the records of people who asked to be admitted to an account."""
        return list(self._people[key].values())

    async def items(self, kind: str) -> list[KeptItem]:
        """Return the documents of a kind by their ids."""
        found = [each for each in self._items.values() if each.kind == kind]
        return sorted(found, key=lambda each: each.id)

    async def open_runs(self, key: str) -> list[Run]:
        """Return the runs of an account that have not ended, in the order of their records."""
        return self._conversations.open_runs(key)

    async def run_of(self, id: str) -> Run | None:
        """Return the newest run with an id, whatever account it is of."""
        return self._conversations.run(id)

    async def session(self, key: str) -> Session | None:
        """Return the session under a key."""
        return self._conversations.session(key)

    async def sessions(
        self, which: SessionFilter, limit: int, offset: int = 0
    ) -> tuple[list[Session], int]:
        """Return sessions, those that changed last first, and how many there are in all."""
        return self._conversations.sessions(which, limit, offset)

    async def entries(
        self, session: str, limit: int, *, after: int | None = None, before: int | None = None
    ) -> list[TranscriptEntry]:
        """Return entries of a session's transcript in their order."""
        return self._conversations.entries(session, after, before, limit)

    async def search(self, text: str, limit: int) -> list[FoundEntry]:
        """Return the newest entries that have, for each word of a text, one that begins with it."""
        return self._conversations.search(text, limit)

    async def chats_of(self, sender: str, keys: Collection[str]) -> dict[str, set[str]]:
        """Return the direct chats with a person in each account, as far as frames show them."""
        found = {key: {sender} for key in keys if key in self._places}
        for key, chats in found.items():
            for _, _, part in self._frames[key]:
                chats |= {chat for each in part.payloads if (chat := direct_chat(each, sender))}
        return found

    async def erase(
        self, sender: str, chats: Mapping[str, Collection[str]], remove: RemoveFiles = keep_files
    ) -> Forgotten:
        """Erase a person from the accounts in ``chats``, which has the direct chats of each.

        ``remove(files)`` removes the stored files.
        """
        done = Forgotten()
        for key, known in chats.items():
            files = done.files.setdefault(key, [])
            for number, (incarnation, at, part) in enumerate(self._frames[key]):
                flags, payloads = bytearray(part.flags), list(part.payloads)
                for index, payload in enumerate(part.payloads):
                    left = erased(payload, flags[index], sender, known)
                    if left is not None:
                        payloads[index], flags[index] = left[:2]
                        files += left[2]
                        done.messages += 1
                self._frames[key][number] = (
                    incarnation,
                    at,
                    Part(part.first, bytes(flags), payloads),
                )
            for name, each in self._outgoing[key].items():
                if each.row.chat in known and not each.row.is_open:
                    files += files_of(decode_json(each.message)) if each.message else ()
                    row = replace(each.row, chat=FORGOTTEN, error="", sent=[], letter=False)
                    self._outgoing[key][name] = OutgoingMessage(row, b"")
                    done.sends += 1
            self._conversations.erase(key, sender, known, done)
        remove(done.files)
        return done

    def set_keep(self, keep: Keep) -> None:
        """Set how long and how much is kept.

        Here that is everything: it lasts no longer than its object.
        """

    async def close(self) -> None:
        """Store what has been appended if that is possible, and end."""
        self._commit()

    def _commit(self) -> None:
        queue, self._queue = self._queue, []
        outcomes = [self._apply(record) for record, _ in queue]
        self.commits += bool(queue)
        for (_, done), outcome in zip(queue, outcomes, strict=True):
            if done is not None:
                done(outcome)

    def _apply(self, record: Record) -> Outcome:
        key = record.key
        place = self._places.get(key) or Place(key, len(self._places) + 1)
        outcome: Outcome = None
        match record:
            case Arrived():
                some = {each for each in record.ids if each is not None}
                place, kept = add_frames(place, record, record.ids, some & self._seen[key])
                self._seen[key] |= some
                self._frames[key] += [(record.incarnation, record.at, part) for part in kept.parts]
                outcome = kept
            case Answered():
                place = change(place, record)
                rows = self._queue_all(key, record.answers)
                outcome = outcome_of(rows, self._conversations.add_runs(key, record.runs))
                self._add_people(key, record.people)
                place = self._redact(place, record.redactions)
            case PeopleChanged():
                self._add_people(key, record.people)
            case Queued():
                outcome = outcome_of(self._queue_all(key, [record.outgoing]), {})
            case Marked() | Identified() | Left():
                place = change(place, record)
            case RunQueued():
                outcome = outcome_of({}, self._conversations.add_runs(key, [record.run]))
            case ItemsChanged():
                known = self._conversations.add_runs(key, record.runs)
                outcome = outcome_of({}, known, self._conversations.add(key, record))
                place = replace(place, entries=self._conversations.newest)
                for gone in record.removed:
                    self._items.pop(gone, None)
                self._items |= {(each.kind, each.id): each for each in record.items}
            case RunEnded() | EntriesAdded():
                outcome = self._add_entries(record)
                place = replace(place, entries=self._conversations.newest)
            case RunStarted() | RunPostponed() | RunSeen() | RunMerged():
                self._conversations.change(key, record)
            case SessionChanged():
                self._conversations.set_session(record.session)
            case SessionDeleted():
                self._conversations.delete(record.session)
            case _:
                waiting = self._outgoing[key]
                if record.row in waiting:
                    waiting[record.row] = changed_message(waiting[record.row], record)
        self._places[key] = place
        return outcome

    def _redact(self, place: Place, redactions: list[Withheld]) -> Place:
        grown = 0
        frames = self._frames[place.key]
        for number, (incarnation, at, part) in enumerate(frames):
            drops = {
                each.cursor[1]: each.reason for each in redactions if each.cursor[0] == incarnation
            }
            if drops:
                found = redacted(part.first, part.flags, part.payloads, drops)
                frames[number] = incarnation, at, Part(part.first, found.flags, found.payloads)
                grown += found.grown
        return replace(place, withheld=place.withheld + grown)

    def _add_entries(self, record: RunEnded | EntriesAdded) -> Outcome:
        rows: dict[str, OutgoingRow] = {}
        if isinstance(record, RunEnded):
            self._conversations.change(record.key, record)
            rows = self._queue_all(record.key, record.answers)
        return outcome_of(rows, {}, self._conversations.add(record.key, record))

    def _add_people(self, key: str, people: list[Person]) -> None:
        for each in people:
            self._people[key].pop(each.sender, None)
            if each.state != "forgotten":
                self._people[key][each.sender] = each

    def _queue_all(self, key: str, messages: list[OutgoingMessage]) -> dict[str, OutgoingRow]:
        rows, known = self._outgoing[key], {}
        for each in messages:
            if each.row.key in rows:
                known[each.row.key] = rows[each.row.key].row
            else:
                rows[each.row.key] = each
        return known
