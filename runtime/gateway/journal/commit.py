"""Turns the records of one commit into rows of the view ``step``. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.gateway.journal import schema
from runtime.gateway.journal.conversations import (
    EntriesAdded,
    Session,
    SessionChanged,
    SessionDeleted,
)
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.joining import JoinedFrames, JoinedIds
from runtime.gateway.journal.outgoing import (
    Known,
    OutgoingMessage,
    OutgoingRow,
    PartsRendered,
    Queued,
    RowRecord,
    changes_of,
    drops_message,
    patch_of,
)
from runtime.gateway.journal.people import PeopleChanged, Person
from runtime.gateway.journal.records import (
    Answered,
    Arrived,
    Identified,
    Kept,
    Left,
    Marked,
    Outcome,
    Place,
    Record,
    add_frames,
    change,
)
from runtime.gateway.journal.runs import (
    NO_REQUEST,
    Recorded,
    Run,
    RunEnded,
    RunMerged,
    RunPostponed,
    RunQueued,
    RunRecord,
    RunSeen,
    RunStarted,
    changed_run,
    outcome_of,
    run_patch,
    stored_run,
)
from runtime.gateway.journal.schema import Change

_json = msgspec.json.Encoder().encode
_body = msgspec.msgpack.Encoder().encode

KnownRows = dict[str, dict[str, OutgoingRow]]  # by the key of their account, and by their own
ENTRY_RECORDS = (RunEnded, EntriesAdded, ItemsChanged)
KnownRuns = dict[str, dict[str, Run]]


class Commit:
    """The writes of one commit, and the accounts' places after it.

    ``next`` is the number of the next account, ``entry`` that of the newest entry of a transcript.
    ``rows`` and ``runs`` are those that are there already under keys that come again.
    """

    def __init__(
        self,
        places: dict[str, Place],
        next: int,
        entry: int,
        rows: KnownRows | None = None,
        runs: KnownRuns | None = None,
    ) -> None:
        self._before = places
        self._known = rows or {}
        self._runs = runs or {}
        self.places: dict[str, Place] = {}
        self.next = next
        self.entry = entry
        self._frames: dict[int, JoinedFrames] = {}  # by the number of their account
        self._ids: dict[int, JoinedIds] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._bodies: list[bytes] = []
        self._at = 1  # substr counts from 1

    def add(self, record: Record, ids: list[str | None], repeated: dict[str, set[str]]) -> Outcome:
        """Add the statements for a record."""
        place = self._place(record.key)
        account = place.number
        outcome: Outcome = None
        match record:
            case Arrived():
                known = repeated.setdefault(record.key, set())
                some = dict.fromkeys(each for each in ids if each is not None)
                place, kept = add_frames(place, record, ids, known.intersection(some))
                self._add_frames(
                    account, record, kept, [each for each in some if each not in known]
                )
                known.update(some)
                outcome = kept
            case Marked() | Identified() | Left():
                place = change(place, record)
            case Answered():
                place = change(place, record)
                rows = self._queue(account, record.key, record.answers)
                outcome = outcome_of(rows, self._add_runs(account, record.key, record.runs))
                self._add_people(account, record.people)
            case Queued():
                outcome = outcome_of(self._queue(account, record.key, [record.outgoing]), {})
            case PeopleChanged():
                self._add_people(account, record.people)
            case RunQueued():
                outcome = outcome_of({}, self._add_runs(account, record.key, [record.run]))
            case ItemsChanged():
                self._change_items(account, record)
                outcome = self._add_entries(account, record)
            case RunEnded() | EntriesAdded():
                outcome = self._add_entries(account, record)
            case RunStarted() | RunPostponed() | RunSeen() | RunMerged():
                self._change_run(account, record)
            case SessionChanged():
                self._session(account, record.session)
            case SessionDeleted():
                gone = (0, self.entry, 0)
                self._step(schema.SESSION_GONE, account, numbers=gone, text=record.session)
            case _:
                self._change_row(account, record)
        if self.entry != place.entries and isinstance(record, ENTRY_RECORDS):
            place = msgspec.structs.replace(place, entries=self.entry)
        self.places[record.key] = place
        return outcome

    def arguments(self) -> tuple[bytes, str]:
        """Return the arguments of the statement ``STORE``: the joined bodies, and the steps.

        Long bodies are held only once, so it is called only once.
        """
        for account in [*self._frames]:
            self._store_frames(account)
        for account in [*self._ids]:
            self._store_ids(account)
        for place in self.places.values():
            text = _json(msgspec.structs.replace(place, cursor=b"")).decode()
            self._step(schema.PLACE, place.number, text=text, body=place.cursor)
        bodies = b"".join(self._bodies)
        self._bodies.clear()
        return bodies, _json(self._rows).decode()

    def _place(self, key: str) -> Place:
        place = self.places.get(key) or self._before.get(key)
        if place is None:
            place = self.places[key] = Place(key, self.next)
            self.next += 1
        return place

    def _add_frames(self, account: int, record: Arrived, kept: Kept, ids: list[str]) -> None:
        incarnation, at = record.incarnation, record.at
        for part in kept.parts:
            frames = self._frames.get(account)
            if frames is None or not frames.add(incarnation, at, part):
                self._store_frames(account)
                self._frames[account] = JoinedFrames(incarnation, at, part)
        if ids:
            joined = self._ids.get(account)
            if joined is None or not joined.add(at, ids):
                self._store_ids(account)
                self._ids[account] = JoinedIds(at, ids)

    def _store_frames(self, account: int) -> None:
        frames = self._frames.pop(account, None)
        if frames is not None:
            numbers = (frames.incarnation, frames.first, frames.last)
            body = _body(frames.contents())
            self._step(schema.PACK, account, frames.at, numbers, body=body)

    def _store_ids(self, account: int) -> None:
        joined = self._ids.pop(account, None)
        if joined is not None:
            self._step(schema.IDS, account, joined.at, text=_json(joined.ids).decode())

    def _queue(
        self, account: int, key: str, messages: list[OutgoingMessage]
    ) -> dict[str, OutgoingRow]:
        """Add messages to send, except those with known keys; return the latter."""
        before = self._known.setdefault(key, {})
        known = {}
        for each in messages:
            row = each.row
            if row.key in before:
                known[row.key] = before[row.key]
                continue
            before[row.key] = row
            text = _json(row).decode()
            self._step(schema.QUEUED, account, row.at, text=text, body=each.message)
        return known

    def _change_row(self, account: int, record: RowRecord) -> None:
        rows = self._known.get(record.key, {})
        if record.row in rows:  # for a key that comes again in this very commit
            changes = changes_of(record)
            rows[record.row] = msgspec.structs.replace(rows[record.row], **changes)
        text = _json(patch_of(record)).decode()
        body = record.texts if isinstance(record, PartsRendered) else b""
        numbers = (0, int(drops_message(record)), 0)
        self._step(schema.CHANGED, account, 0, numbers, text=text, body=body)

    def _add_people(self, account: int, people: list[Person]) -> None:
        for each in people:
            self._step(schema.PERSON, account, text=_json(each).decode())

    def _add_runs(self, account: int, key: str, runs: list[Run]) -> dict[str, Run]:
        """Add runs, except those with known ids; return the latter."""
        before = self._runs.setdefault(key, {})
        known = {}
        for each in runs:
            if each.id in before:
                known[each.id] = before[each.id]
                continue
            before[each.id] = stored_run(each)
            row = msgspec.structs.replace(each, request=NO_REQUEST, answer="")
            text = _json(row).decode()
            body = _json(each.request) if each.is_open else each.answer.encode()
            self._step(
                schema.RUN, account, each.at, (0, int(each.is_open), 0), text=text, body=body
            )
        return known

    def _change_items(self, account: int, record: ItemsChanged) -> None:
        for name in record.removed:
            self._step(schema.ITEM_GONE, account, text=_json(name).decode())
        for each in record.items:
            text = _json((each.kind, each.id)).decode()
            self._step(schema.ITEM, account, text=text, body=each.value)

    def _change_run(self, account: int, record: RunRecord) -> None:
        runs = self._runs.get(record.key, {})
        if record.run in runs:  # as above
            runs[record.run] = changed_run(runs[record.run], record)
        request, answer, body = _contents(record)
        ends = isinstance(record, RunEnded | RunMerged)
        at = record.at if isinstance(record, RunEnded | RunMerged) else 0
        text = _json(run_patch(record)).decode()
        numbers = (int(request), int(answer), int(ends))
        self._step(schema.RUN_CHANGED, account, at, numbers, text=text, body=body)

    def _add_entries(
        self, account: int, record: RunEnded | EntriesAdded | ItemsChanged
    ) -> Recorded | Known | None:
        """Add entries of a session with what is to be sent and how the session is afterwards."""
        known: dict[str, OutgoingRow] = {}
        asked: dict[str, Run] = {}
        if isinstance(record, ItemsChanged):
            asked = self._add_runs(account, record.key, record.runs)
        if isinstance(record, RunEnded):
            self._change_run(account, record)
            known = self._queue(account, record.key, record.answers)
        first = self.entry + 1
        for number, each in enumerate(record.entries, first):
            row = msgspec.structs.replace(each, text="", number=0)
            text = _json((record.session, each.chat, each.sender, row)).decode()
            numbers = (0, number, 0)
            body = each.text.encode()
            self._step(schema.ENTRY, account, each.at, numbers, text=text, body=body)
        self.entry += len(record.entries)
        if record.changed is not None:
            self._session(account, record.changed)
        return outcome_of(known, asked, first if record.entries else 0)

    def _session(self, account: int, session: Session) -> None:
        self._step(schema.SESSION, account, session.updated, text=_json(session).decode())

    def _step(
        self,
        kind: int,
        account: int,
        at: int = 0,
        numbers: tuple[int, int, int] = (0, 0, 0),
        *,
        text: str = "",
        body: bytes = b"",
    ) -> None:
        self._rows.append((kind, account, at, *numbers, text, self._at, len(body)))
        self._bodies.append(body)
        self._at += len(body)


def _contents(record: RunRecord) -> tuple[Change, Change, bytes]:
    """Return what becomes of a run's request and of its answer, and the new one's bytes."""
    match record:
        case RunStarted(request=None):
            return Change.KEEP, Change.CLEAR, b""
        case RunStarted():
            return Change.SET, Change.CLEAR, _json(record.request)
        case RunPostponed():
            return Change.KEEP, Change.KEEP, b""
        case RunSeen():
            return Change.KEEP, Change.APPEND if record.more else Change.KEEP, record.more.encode()
        case RunEnded(answer=None):
            return Change.CLEAR, Change.KEEP, b""
        case RunEnded():
            return Change.CLEAR, Change.SET, (record.answer or "").encode()
        case RunMerged():
            return Change.CLEAR, Change.CLEAR, b""
