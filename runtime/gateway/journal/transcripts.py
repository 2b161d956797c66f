"""Keeps runs, sessions and transcripts in memory, as the tables of the file do. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

from msgspec import to_builtins
from msgspec.structs import replace

from runtime.gateway.conversations.session_keys import kind_of
from runtime.gateway.journal.conversations import (
    EntriesAdded,
    FoundEntry,
    Session,
    SessionFilter,
    TranscriptEntry,
    has_words,
    words_of,
)
from runtime.gateway.journal.erasing import (
    Forgotten,
    erased_run,
    files_of,
    is_routed_to,
    is_run_of,
    unrouted,
    unsummarised,
)
from runtime.gateway.journal.items import ItemsChanged
from runtime.gateway.journal.runs import Run, RunEnded, RunRecord, changed_run, stored_run


class Conversations:
    """The runs of each account, all sessions and their entries. ``newest`` numbers the last one."""

    def __init__(self) -> None:
        self.newest = 0
        self._runs: defaultdict[str, dict[str, Run]] = defaultdict(dict)
        self._ids: dict[str, str] = {}  # whose the newest run with each id is
        self._sessions: dict[str, Session] = {}
        self._entries: defaultdict[str, list[tuple[str, TranscriptEntry]]] = defaultdict(list)

    def add_runs(self, key: str, runs: list[Run]) -> dict[str, Run]:
        """Add runs, except those with known ids; return the latter."""
        kept, known = self._runs[key], {}
        for each in runs:
            if each.id in kept:
                known[each.id] = kept[each.id]
            else:
                kept[each.id] = stored_run(each)
                self._ids[each.id] = key
        return known

    def change(self, key: str, record: RunRecord) -> None:
        """Change the run that a record names, if there is one."""
        run = self._runs[key].get(record.run)
        if run is not None:
            self._runs[key][run.id] = changed_run(run, record)

    def add(self, key: str, record: RunEnded | EntriesAdded | ItemsChanged) -> int:
        """Add entries and take over their session; return the first one's number, 0 for none."""
        first = self.newest + 1
        for each in record.entries:
            self.newest += 1
            self._entries[record.session].append((key, replace(each, number=self.newest)))
        if record.changed is not None:
            self.set_session(record.changed)
        return first if record.entries else 0

    def set_session(self, session: Session) -> None:
        """Set the current state of a session."""
        self._sessions[session.key] = session

    def delete(self, session: str) -> None:
        """Remove a session and its transcript."""
        self._sessions.pop(session, None)
        self._entries.pop(session, None)

    def open_runs(self, key: str) -> list[Run]:
        """Return the runs of an account that have not ended, in the order of their records."""
        return [each for each in self._runs[key].values() if each.is_open]

    def run(self, id: str) -> Run | None:
        """Return the newest run with an id."""
        return self._runs[self._ids[id]][id] if id in self._ids else None

    def session(self, key: str) -> Session | None:
        """Return the session under a key."""
        return self._sessions.get(key)

    def sessions(self, which: SessionFilter, limit: int, offset: int) -> tuple[list[Session], int]:
        """Return sessions, those that changed last first, and how many there are in all."""
        found = [each for each in self._sessions.values() if which.matches(each)]
        found.sort(key=lambda each: (-each.updated, each.key))
        return found[offset : offset + limit], len(found)

    def entries(
        self, session: str, after: int | None, before: int | None, limit: int
    ) -> list[TranscriptEntry]:
        """Return entries of a session: the first ones after a number, else the last ones."""
        found = [each for _, each in self._entries.get(session, ())]
        if after is not None:
            return [each for each in found if each.number > after][:limit]
        return [each for each in found if before is None or each.number < before][-limit:]

    def search(self, text: str, limit: int) -> list[FoundEntry]:
        """Return the newest entries that have the words of a text."""
        asked = words_of(text)
        found = [
            FoundEntry(session, each)
            for session, entries in self._entries.items()
            for _, each in entries
            if asked and has_words(each.text, asked)
        ]
        return sorted(found, key=lambda each: -each.entry.number)[:limit]

    def erase(self, key: str, sender: str, chats: Collection[str], done: Forgotten) -> None:
        """Erase a person from an account, whose direct chats with the person are ``chats``."""
        for run in self._runs[key].values():
            if is_run_of(run, sender, chats):
                self._erase_run(key, run, done)
        for session in [*self._entries]:
            erased = self._erase(
                session,
                done,
                lambda owner, each: owner == key and (each.sender == sender or each.chat in chats),
            )
            if erased and session in self._sessions:
                self.set_session(unsummarised(self._sessions[session]))
        for row in [*self._sessions.values()]:
            if is_routed_to(row, key, chats):
                self._erase_session(row, done)

    def _erase_session(self, session: Session, done: Forgotten) -> None:
        direct = kind_of(session.key) == "direct"
        if direct:
            for key, runs in self._runs.items():
                for run in runs.values():
                    if run.session == session.key and not run.is_open:
                        self._erase_run(key, run, done)
            self._erase(session.key, done, lambda _, each: not each.chat)
        if direct and not self._entries.get(session.key):
            del self._sessions[session.key]
            done.sessions += 1
        else:
            self.set_session(unrouted(session))

    def _erase_run(self, key: str, run: Run, done: Forgotten) -> None:
        self._runs[key][run.id] = erased_run(run)
        done.runs += 1

    def _erase(
        self, session: str, done: Forgotten, is_hers: Callable[[str, TranscriptEntry], bool]
    ) -> bool:
        """Erase entries of a session; return whether there were any."""
        left: list[tuple[str, TranscriptEntry]] = []
        before = len(self._entries.get(session, ()))
        for key, each in self._entries.get(session, ()):
            if is_hers(key, each):
                done.files.setdefault(key, []).extend(files_of(to_builtins(each)))
                done.entries += 1
            else:
                left.append((key, each))
        self._entries[session] = left
        return len(left) < before
