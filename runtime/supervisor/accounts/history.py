"""Keeps the last 50 events of each account, and 500 changes, across restarts of the supervisor.

A change is an action of an operator, about any account or none. Of one kind five events are kept,
and a count of older ones: an account that crashes again and again keeps what was before.

One file for all, appended to by a separate thread: a decision never waits for the disk, and a
failing disk costs nothing but the history. The file is rewritten as a whole at the start and
whenever it has grown; a damaged one is set aside.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from ipc.files import READ_BYTES, open_to_write, read_regular, set_aside, write_atomically
from ipc.frames.words import Phase
from ipc.joined_records import WINDOW_MS, JoinedRecords
from ipc.nesting import MALFORMED, decode_json
from ipc.permissions import cure, reason
from runtime.supervisor.accounts.explain import unconfirmed
from runtime.supervisor.lifecycle import (
    Event,
    Exited,
    Reset,
    Restart,
    Start,
    State,
    Stop,
    cause_of_exit,
)

HISTORY = "history.jsonl"  # in the state directory
EVENTS = 50  # kept of each account
CHANGES = "changes"  # the key of what operators have changed: no account is called so
KEPT = {CHANGES: 500}  # where it is not ``EVENTS``
PER_KIND = 5  # three refused logins must be among them (see ``recollection``)
FILE_BYTES = 4 * 1024 * 1024  # then it is written anew; 200 accounts fill about 2 MiB
WAITING = 10_000  # entries that a slow disk may have before it; more are dropped and counted
EMPTY = {"cause": None, "text": None, "failures": 0}  # what is shown even where it is not said
RETRY_SECONDS = 5.0  # between two tries while nothing can be written
END_WITHIN = 1.0  # seconds for what is still unwritten when the supervisor ends

log = structlog.get_logger("history")


class HistoryEntry(msgspec.Struct, rename="camel", omit_defaults=True):
    """One event of one account. ``at`` is epoch milliseconds, for display only.

    ``text`` is the reason of the phase, ``exit`` how the process ended, ``exit_cause`` whom the
    exit is blamed on (see ``runtime.supervisor.lifecycle.cause_of_exit``), ``proven`` that the
    account has been running once, ``asked_until`` the time before which the platform has asked not
    to be tried again, in epoch milliseconds. ``by`` is the person who caused it: device and
    client. A ``note`` records something that changed no phase; it repeats the current one. An entry
    that stands for several of its kind, of which it is the last, has their number and ``first``.
    """

    at: int
    phase: str
    incarnation: int
    failures: int = 0
    cause: str | None = None
    text: str | None = None
    exit: str | None = None
    exit_cause: str | None = None
    proven: bool = False
    asked_until: int | None = None
    by: str | None = None
    note: bool = False
    times: int = 1
    first: int | None = None

    @property
    def kind(self) -> int:
        """A hash that is equal for events that differ only in time: repetitions of one."""
        ended = self.exit, self.exit_cause
        return hash((self.phase, self.cause, self.text, *ended, self.by, self.note))


def kept_entries(key: str, past: Iterable[HistoryEntry] = ()) -> JoinedRecords[HistoryEntry]:
    """Return the entries of an account, or the changes, to which others can be added."""
    entries = JoinedRecords(KEPT.get(key, EVENTS), _join, per_kind=PER_KIND)
    for entry in past:
        entries.add(entry, entry.kind)
    return entries


def _join(older: HistoryEntry, newer: HistoryEntry) -> HistoryEntry | None:
    if newer.at - older.at > WINDOW_MS:
        return None
    first = older.at if older.first is None else older.first
    return replace(newer, times=older.times + newer.times, first=first)


class _HistoryLine(msgspec.Struct):
    account: str
    entry: HistoryEntry


def shown(entries: Iterable[HistoryEntry]) -> list[dict[str, Any]]:
    """Return events as plain JSON data; the keys of ``EMPTY`` are always present."""
    return [{**EMPTY, **msgspec.to_builtins(entry)} for entry in entries]


def entry_of(
    before: State, state: State, event: Event, *, at: int, lost: int | None, asked_until: int | None
) -> HistoryEntry | None:
    """Return the entry for a change of state; ``None`` if it does not matter to operators.

    ``at`` and ``asked_until`` are epoch milliseconds, ``lost`` is how many messages of the process
    that has ended are not confirmed.
    """
    text = state.reason
    same = (before.phase, before.cause, before.incarnation)
    if same == (state.phase, state.cause, state.incarnation):
        if before.failures <= state.failures:
            return None
        text = "failures forgiven"
    elif isinstance(event, Start):
        text = event.reason or state.reason if event.automatic else "started by an operator"
    how = event.exit if isinstance(event, Exited) else None
    if how and state.phase is Phase.STOPPED and lost:
        text = "; ".join(filter(None, (text, unconfirmed(lost))))
    by = event.by if isinstance(event, Start | Restart | Stop | Reset) else None
    return replace(
        _entry_in(state, text, at=at, by=by),
        exit=str(how) if how else None,
        exit_cause=cause_of_exit(before, how) if how else None,
        asked_until=asked_until,
    )


def change_of(text: str, *, at: int, by: str | None) -> HistoryEntry:
    """Return the entry for something that an operator has changed."""
    return HistoryEntry(at=at, phase="", incarnation=0, text=text, by=by, note=True)


def note_of(state: State, text: str, *, at: int, by: str | None) -> HistoryEntry:
    """Return the entry for an event of an account that changed no phase."""
    return replace(_entry_in(state, text, at=at, by=by), note=True)


def _entry_in(state: State, text: str | None, *, at: int, by: str | None) -> HistoryEntry:
    """Return an entry with what it keeps of a state."""
    return HistoryEntry(
        at=at,
        phase=state.phase.value,
        cause=state.cause,
        text=text,
        incarnation=state.incarnation,
        failures=state.failures,
        proven=state.proven,
        by=by,
    )


def delete_from_file(path: Path, account: str) -> None:
    """Delete the events of an account from a history that no daemon uses. Blocks.

    All other lines stay as they are, damaged ones too. What cannot be written stays.
    """
    with contextlib.suppress(OSError):
        lines = read_regular(path, READ_BYTES).splitlines(keepends=True)
        kept = [line for line in lines if not _is_of(account, line)]
        if kept != lines:
            write_atomically(path, b"".join(kept))


def _is_of(account: str, line: bytes) -> bool:
    try:
        return decode_json(line, _HistoryLine).account == account
    except MALFORMED:
        return False


class _Change(NamedTuple):
    """One change for the writer thread: a new line, or a removed account.

    Changes are numbered: a file rewritten from memory already contains those that still wait in
    the queue, which must not be appended again.
    """

    number: int
    line: _HistoryLine | None


class History:
    """The events of all accounts, in memory and in ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = 0
        self._damage: list[str] = []
        self._events: dict[str, JoinedRecords[HistoryEntry]] = {}
        self._size = 0
        self._changes: queue.Queue[_Change | None] = queue.Queue(WAITING)
        self._number = 0  # of the last change made
        self._renewed = 0  # of the last change that the file had when it was written anew
        self._lock = threading.Lock()
        self._fault: str | None = None  # why nothing can be written
        self._load()
        self._thread = threading.Thread(target=self._write, name="history", daemon=True)
        self._thread.start()

    @property
    def warnings(self) -> list[str]:
        """A damaged file, and why events are not on disk at the moment."""
        fault = self._fault
        now = [f"{self.path} is not written: {fault}; the last events end with this daemon"]
        return [*self._damage, *(now if fault else [])]

    def of(self, account: str) -> list[HistoryEntry]:
        """Return the events of an account, the oldest first."""
        return list(self._events.get(account, ()))

    def last(self, account: str) -> HistoryEntry | None:
        """Return the last event of an account."""
        events = self._events.get(account)
        return events.newest if events is not None else None

    def add(self, account: str, entry: HistoryEntry) -> None:
        """Add an event; never blocks and never raises."""
        with self._lock:
            self._events_of(account).add(entry, entry.kind)
            self._enqueue(_HistoryLine(account, entry))

    def delete(self, account: str) -> None:
        """Delete the events of a removed account, in memory and in the file."""
        with self._lock:
            if self._events.pop(account, None) is not None:
                self._enqueue(None)

    def close(self) -> None:
        """Write what is pending, for at most a second: a hanging disk must not delay the end."""
        with contextlib.suppress(queue.Full):
            self._changes.put_nowait(None)
        self._thread.join(END_WITHIN)

    def _events_of(self, account: str) -> JoinedRecords[HistoryEntry]:
        if account not in self._events:
            self._events[account] = kept_entries(account)
        return self._events[account]

    def _enqueue(self, line: _HistoryLine | None) -> None:
        self._number += 1
        try:
            self._changes.put_nowait(_Change(self._number, line))
        except queue.Full:
            self.dropped += 1

    def _write(self) -> None:
        ended = False
        while not ended:
            batch = self._next_changes()
            ended = None in batch
            changes = [each for each in batch if each is not None and each.number > self._renewed]
            if changes or not batch:
                self._append(changes)

    def _next_changes(self) -> list[_Change | None]:
        """Wait for changes; return none when it is time to retry a write that has failed."""
        batch: list[_Change | None] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._changes.get(timeout=RETRY_SECONDS if self._fault else None))
            while len(batch) < WAITING:
                batch.append(self._changes.get_nowait())
        return batch

    def _append(self, changes: Iterable[_Change]) -> None:
        lines = [change.line for change in changes]
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines if line is not None)
        try:
            if (
                None in lines
                or self._fault
                or self._size + len(data) > FILE_BYTES
                or not self.path.exists()
            ):
                # From memory: what could not be written before is in it too, and what was in a
                # file that others have removed, and it has nothing of an account that is gone.
                self._renew()
            else:
                with open(self.path, "ab", opener=open_to_write) as file:
                    file.write(data)
                self._size += len(data)
            self._fault = None
        except OSError as error:
            if self._fault is None:
                log.error("history not written", path=str(self.path), error=str(error))
            self._fault = reason(error)

    def _renew(self) -> None:
        with self._lock:
            number = self._number
            lines = [_HistoryLine(key, e) for key, events in self._events.items() for e in events]
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        write_atomically(self.path, data)
        self._size = len(data)
        self._renewed = number

    def _load(self) -> None:
        try:
            data = read_regular(self.path, READ_BYTES)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.EFBIG:
                self._quarantine("it is too large")
                return
            if isinstance(error, PermissionError):  # of root: the next write would replace it
                self._quarantine(f"it cannot be read: {error.strerror}")
                return
            self._damage.append(f"{self.path} cannot be read: {error.strerror}")
            return
        damage = self._load_lines(data)
        if damage is not None:
            self._quarantine(damage)
        with contextlib.suppress(OSError):  # the next write says so
            self._renew()

    def _load_lines(self, data: bytes) -> str | None:
        """Load every valid line; return what is wrong with the others."""
        damage = None
        lines = data.split(b"\n")
        for number, text in enumerate(lines[:-1], 1):  # the last one is empty, or torn by a kill
            try:
                line = decode_json(text, _HistoryLine)
            except MALFORMED as error:
                damage = damage or f"line {number}: {error}"
                continue
            self._events_of(line.account).add(line.entry, line.entry.kind)
        return damage

    def _quarantine(self, damage: str) -> None:
        aside = set_aside(self.path)
        kept = "; ".join(filter(None, [f"kept as {aside}", cure(aside)]))
        self._damage.append(f"{self.path} was damaged ({damage}); {kept}")
        log.error("history damaged", path=str(self.path), kept=str(aside), error=damage)
