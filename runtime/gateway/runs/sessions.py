"""Keeps active conversations in memory: their sessions, and their last entries.

Everything of it comes from the journal and goes there; what is not under way is read when
a person writes again.
"""

from __future__ import annotations

import secrets
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from runtime.config.sessions import ResetConfig
from runtime.gateway.conversations.resets import reset_due
from runtime.gateway.conversations.session_keys import kind_of
from runtime.gateway.host_zone import host_zone
from runtime.gateway.journal.conversations import (
    Session,
    SessionChanged,
    TranscriptEntry,
)
from runtime.gateway.journal.erasing import unrouted
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.runs import Recorded
from runtime.gateway.runs.overheard import FramePosition, OverheardFrames
from workers.agent import HistoryItem

MAX_CONVERSATIONS = 2_000  # in memory
MAX_HELD_BYTES = 16 * 1024 * 1024  # of all their transcripts there
ENTRY_BYTES = 448  # about what an entry takes beside its text
HISTORY_ENTRIES = 100  # that an agent is given at most
HISTORY_BYTES = 64 * 1024
CONTEXT_ENTRIES = 50  # words that were not meant for the account, until a person asks it
CONTEXT_BYTES = 32 * 1024
SUMMARY = "[summary of what was said before]"


class HeldBytes(msgspec.Struct):
    """An estimate of the memory of several lists of entries, which they update themselves."""

    total: int = 0


class BoundedEntries:
    """The last entries of a list, bounded by number and size."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._entries: deque[tuple[int, TranscriptEntry]] = deque()
        self._bytes = 0
        self._held = HeldBytes()

    def __iter__(self) -> Iterator[TranscriptEntry]:
        return (each for _, each in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: TranscriptEntry) -> None:
        """Add an entry; drop the oldest ones above the bounds."""
        # To encode the longest answer takes a millisecond, and it alone is more than may be.
        long = len(entry.text) > self._most_bytes
        text = sys.getsizeof(entry.text) if long else len(entry.text.encode())
        size = text + 64 + sum(len(str(each)) for each in entry.calls)
        self._entries.append((size, entry))
        self._grow(size)
        while len(self._entries) > 1 and (
            len(self._entries) > self._most or self._bytes > self._most_bytes
        ):
            self._shrink(self._entries.popleft()[0])

    def count_in(self, held: HeldBytes) -> None:
        """Count their memory in ``held`` from now on, and no longer in the object before."""
        size = self._bytes + ENTRY_BYTES * len(self._entries)
        self._held.total -= size
        held.total += size
        self._held = held

    def discard(self, which: Callable[[TranscriptEntry], bool]) -> list[int]:
        """Remove the entries for which ``which`` holds; return their indexes, oldest first."""
        places = [place for place, (_, each) in enumerate(self._entries) if which(each)]
        for place in reversed(places):
            self._shrink(self._entries[place][0])
            del self._entries[place]
        return places

    def clear(self) -> None:
        """Remove all entries."""
        while self._entries:
            self._shrink(self._entries.popleft()[0])

    def _grow(self, size: int) -> None:
        self._bytes += size
        self._held.total += size + ENTRY_BYTES

    def _shrink(self, size: int) -> None:
        self._bytes -= size
        self._held.total -= size + ENTRY_BYTES


class ContextWindow:
    """The last messages between people, and their positions in the journal."""

    def __init__(self) -> None:
        self._entries = BoundedEntries(CONTEXT_ENTRIES, CONTEXT_BYTES)
        self._frames: deque[FramePosition | None] = deque()

    def __iter__(self) -> Iterator[TranscriptEntry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, entry: TranscriptEntry, frame: FramePosition | None = None
    ) -> list[FramePosition]:
        """Add a message; return the frames of the messages that are dropped for it."""
        self._entries.add(entry)
        self._frames.append(frame)
        gone = [self._frames.popleft() for _ in range(len(self._frames) - len(self._entries))]
        return [each for each in gone if each is not None]

    def discard(self, which: Callable[[TranscriptEntry], bool]) -> list[FramePosition]:
        """Remove the messages for which ``which`` holds; return their frames."""
        gone = []
        for place in reversed(self._entries.discard(which)):
            frame = self._frames[place]
            del self._frames[place]
            gone += [] if frame is None else [frame]
        return gone

    def clear(self) -> list[FramePosition]:
        """Remove all messages; return their frames."""
        self._entries.clear()
        frames = [each for each in self._frames if each is not None]
        self._frames.clear()
        return frames


class OpenConversation:
    """One session in memory. ``entries`` are the last of its transcript, ``context`` what people
    wrote to each other since the agent was last asked.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.entries = BoundedEntries(HISTORY_ENTRIES, HISTORY_BYTES)
        self.context = ContextWindow()

    def history(self, upto: int | None = None) -> list[HistoryItem]:
        """Return the history that an agent is given, up to the entry ``upto``."""
        said = [each for each in self.entries if upto is None or each.number <= upto]
        history = [
            HistoryItem(
                each.role, each.text, each.at, each.name or None, each.calls, each.call or None
            )
            for each in said
        ]
        if summary := self.session.summary:
            at = said[0].at if said else self.session.updated
            history.insert(0, HistoryItem("user", f"{SUMMARY}\n{summary}", at))
        return history

    def shorten(self, upto: int, summary: str | None) -> None:
        """Limit the agent's history to entries after ``upto``; the caller stores the session.

        Without ``summary`` the present one stays.
        """
        left = [each for each in self.entries if each.number > upto]
        self.entries.clear()
        self.extend(left)
        said = self.session.summary if summary is None else summary
        self.session = replace(self.session, told_since=upto, summary=said)

    def extend(self, entries: Iterable[TranscriptEntry]) -> None:
        """Add entries that were added to the transcript."""
        for each in entries:
            self.entries.add(each)


class SessionCache:
    """The conversations that are in memory, by session key. ``journal()`` is the open journal.

    ``overheard`` is what the journal keeps of their contexts, ``reset`` says when they begin anew.
    """

    def __init__(self, journal: Callable[[], Journal | None]) -> None:
        self.overheard = OverheardFrames()
        self.erasures = 0  # of people
        self.reset = ResetConfig()
        self._journal = journal
        self._known: OrderedDict[str, OpenConversation] = OrderedDict()
        self._held = HeldBytes()  # their transcripts

    def find(self, key: str) -> OpenConversation | None:
        """Return a conversation if it is in memory, else ``None``."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def id_of(self, key: str) -> str | None:
        """Return the session id of a conversation in memory, or ``None``."""
        found = self._known.get(key)
        return None if found is None else found.session.id or None

    async def open(self, key: str, agent: str, now: int) -> OpenConversation:
        """Return the conversation of a session, loaded from the journal or new."""
        found = self.find(key)
        if found is not None:
            return found
        journal = self._journal()
        session = None if journal is None else await journal.session(key)
        entries: list[TranscriptEntry] = []
        if session is not None and journal is not None:
            entries = await journal.entries(key, HISTORY_ENTRIES)
        if session is None:
            made_id = secrets.token_hex(8)
            session = Session(key, agent, made_id, kind_of(key), created=now, updated=now)
        made = OpenConversation(session)
        told_since = max(session.since, session.told_since)
        made.extend(each for each in entries if each.number > told_since)
        return self._add(key, made)

    def extend(
        self,
        key: str,
        conversation: OpenConversation,
        id: str,
        entries: list[TranscriptEntry],
        outcome: Outcome,
    ) -> None:
        """Add the entries of a stored record of ``key`` to the session ``id``, if it is in memory.

        ``outcome`` has their numbers. If the conversation has begun anew while they were being
        stored, they are of what was before.
        """
        first = outcome.first if isinstance(outcome, Recorded) else 0
        if conversation.session.id == id:
            conversation.extend(replace(each, number=first + n) for n, each in enumerate(entries))
            self._make_room()
            return
        journal, since = self._journal(), first + len(entries) - 1
        if journal is not None and since > conversation.session.since:
            conversation.session = replace(conversation.session, since=since)
            journal.append(SessionChanged(key, conversation.session))

    def forget(self, key: str) -> None:
        """Drop a conversation that was reset or deleted: it is loaded anew."""
        conversation = self._known.pop(key, None)
        if conversation is not None:
            self._release(conversation)

    def erase(self, sender: str, chats: Mapping[str, Collection[str]]) -> None:
        """Erase a person, whose direct chats with each account are ``chats``, as the journal does.

        ``erasures`` counts how often that was begun.
        """
        self.erasures += 1
        direct = {chat for known in chats.values() for chat in known}

        def is_of_person(entry: TranscriptEntry) -> bool:
            return entry.sender == sender or entry.chat in direct

        for key, each in [*self._known.items()]:
            routed = each.session.to in chats.get(each.session.account, ())
            if routed and kind_of(key) == "direct":
                self.forget(key)
                continue
            if each.entries.discard(is_of_person) or routed:
                each.session = replace(each.session, summary="")
            if routed:
                each.session = unrouted(each.session)
            self.overheard.release(each.context.discard(is_of_person))

    @property
    def resets(self) -> bool:
        """Whether conversations are reset after idle time or at an hour of the day."""
        return self.reset != ResetConfig()

    def is_reset_due(self, conversation: OpenConversation, now: int) -> bool:
        """Return whether a conversation is to be reset before a message at ``now``."""
        session = conversation.session
        if not (session.runs and self.resets):
            return False
        return reset_due(self.reset, session.updated, now, host_zone()) is not None

    def reset_conversation(self, conversation: OpenConversation, now: int) -> OpenConversation:
        """Reset a conversation and return the new one; the caller stores its session."""
        session = conversation.session
        entries = [each.number for each in conversation.entries]
        since = max([session.since, session.told_since, *entries])
        conversation.session = replace(
            session,
            id=secrets.token_hex(8),
            since=since,
            updated=now,
            messages=0,
            runs=0,
            usage={},
            told_since=0,
            summary="",
        )
        conversation.entries.clear()
        self.overheard.release(conversation.context.clear())
        return conversation

    def _add(self, key: str, made: OpenConversation) -> OpenConversation:
        found = self._known.setdefault(key, made)  # another one may have read it meanwhile
        if found is made:
            made.entries.count_in(self._held)
            self._make_room()
        return found

    def _make_room(self) -> None:
        """Drop the least recently used conversations, those with overheard messages last.

        Overheard messages are not loaded again.
        """
        known = self._known
        while len(known) > MAX_CONVERSATIONS:
            self._release(known.popitem(last=False)[1])
        while len(known) > 1 and self._held.total > MAX_HELD_BYTES:
            oldest = next(iter(known))
            spare = next((key for key, each in known.items() if not each.context), oldest)
            self._release(known.pop(spare))

    def _release(self, conversation: OpenConversation) -> None:
        """Stop counting a conversation, and release its overheard messages."""
        conversation.entries.count_in(HeldBytes())
        self.overheard.release(conversation.context.clear())
