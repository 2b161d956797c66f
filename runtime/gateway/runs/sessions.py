"""Keeps the conversations that are under way in memory: their sessions, and what was said last.

Everything of it comes from the journal and goes there; what is not under way is read when
somebody writes again.
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
from runtime.gateway.runs.overheard import Frame, OverheardFrames
from workers.agent import HistoryItem

MAX_CONVERSATIONS = 2_000  # in memory
MAX_HELD_BYTES = 16 * 1024 * 1024  # of all their transcripts there
ENTRY_BYTES = 448  # about what an entry takes beside its text
HISTORY_ENTRIES = 100  # that an agent is given at most
HISTORY_BYTES = 64 * 1024
CONTEXT_ENTRIES = 50  # words that were not meant for the account, until somebody asks it
CONTEXT_BYTES = 32 * 1024
SUMMARY = "[summary of what was said before]"


class HeldBytes(msgspec.Struct):
    """About how much memory some entries take, counted by themselves."""

    total: int = 0


class BoundedEntries:
    """The last entries of something, as many as fit."""

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
        """Add an entry; the oldest ones give way."""
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
        """Count what they take in ``held`` from now on, and no more where that was before."""
        size = self._bytes + ENTRY_BYTES * len(self._entries)
        self._held.total -= size
        held.total += size
        self._held = held

    def discard(self, which: Callable[[TranscriptEntry], bool]) -> list[int]:
        """Forget those entries for which ``which`` holds; return their places, oldest first."""
        places = [place for place, (_, each) in enumerate(self._entries) if which(each)]
        for place in reversed(places):
            self._shrink(self._entries[place][0])
            del self._entries[place]
        return places

    def clear(self) -> None:
        """Forget all of them."""
        while self._entries:
            self._shrink(self._entries.popleft()[0])

    def _grow(self, size: int) -> None:
        self._bytes += size
        self._held.total += size + ENTRY_BYTES

    def _shrink(self, size: int) -> None:
        self._bytes -= size
        self._held.total -= size + ENTRY_BYTES


class ContextWindow:
    """The last of what people said to each other, and where in the journal that is."""

    def __init__(self) -> None:
        self._entries = BoundedEntries(CONTEXT_ENTRIES, CONTEXT_BYTES)
        self._frames: deque[Frame | None] = deque()

    def __iter__(self) -> Iterator[TranscriptEntry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: TranscriptEntry, frame: Frame | None = None) -> list[Frame]:
        """Add what was said; return the frames of what gives way for it."""
        self._entries.add(entry)
        self._frames.append(frame)
        gone = [self._frames.popleft() for _ in range(len(self._frames) - len(self._entries))]
        return [each for each in gone if each is not None]

    def discard(self, which: Callable[[TranscriptEntry], bool]) -> list[Frame]:
        """Forget what ``which`` holds for; return its frames."""
        gone = []
        for place in reversed(self._entries.discard(which)):
            frame = self._frames[place]
            del self._frames[place]
            gone += [] if frame is None else [frame]
        return gone

    def clear(self) -> list[Frame]:
        """Forget all of it; return its frames."""
        self._entries.clear()
        frames = [each for each in self._frames if each is not None]
        self._frames.clear()
        return frames


class OpenConversation:
    """One session: ``entries`` are the last of its transcript, ``context`` what people said to
    each other since the agent was last asked.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.entries = BoundedEntries(HISTORY_ENTRIES, HISTORY_BYTES)
        self.context = ContextWindow()

    def history(self, upto: int | None = None) -> list[HistoryItem]:
        """Return what an agent is given of what was said before, up to the entry ``upto``."""
        said = [each for each in self.entries if upto is None or each.number <= upto]
        told = [
            HistoryItem(
                each.role, each.text, each.at, each.name or None, each.calls, each.call or None
            )
            for each in said
        ]
        if summary := self.session.summary:
            at = said[0].at if said else self.session.updated
            told.insert(0, HistoryItem("user", f"{SUMMARY}\n{summary}", at))
        return told

    def shorten(self, upto: int, summary: str | None) -> None:
        """Tell the agent only what comes after the entry ``upto``; its session is to be stored.

        Without ``summary`` there stays the one that there is.
        """
        left = [each for each in self.entries if each.number > upto]
        self.entries.clear()
        self.extend(left)
        said = self.session.summary if summary is None else summary
        self.session = replace(self.session, told_since=upto, summary=said)

    def extend(self, entries: Iterable[TranscriptEntry]) -> None:
        """Take over what was added to the transcript."""
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

    def known(self, key: str) -> OpenConversation | None:
        """Return a conversation that is in memory."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def id_of(self, key: str) -> str | None:
        """Return the id of a conversation that is in memory."""
        found = self._known.get(key)
        return None if found is None else found.session.id or None

    async def opened(self, key: str, agent: str, now: int) -> OpenConversation:
        """Return the conversation under a key, a new one where there is none."""
        found = self.known(key)
        if found is not None:
            return found
        journal = self._journal()
        session = None if journal is None else await journal.session(key)
        entries: list[TranscriptEntry] = []
        if session is not None and journal is not None:
            entries = await journal.entries(key, HISTORY_ENTRIES)
        if session is None:
            session = Session(key, agent, secrets.token_hex(8), created=now, updated=now)
        made = OpenConversation(session)
        told_since = max(session.since, session.told_since)
        made.extend(each for each in entries if each.number > told_since)
        return self._enter(key, made)

    def extend(
        self,
        key: str,
        conversation: OpenConversation,
        id: str,
        entries: list[TranscriptEntry],
        outcome: Outcome,
    ) -> None:
        """Take over what a record of ``key`` has added to the transcript of the session ``id``.

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
        """Forget a conversation that was reset or deleted: it is read again."""
        conversation = self._known.pop(key, None)
        if conversation is not None:
            self._leave(conversation)

    def erase(self, sender: str, chats: Mapping[str, Collection[str]]) -> None:
        """Forget a person whose direct chats with each account are ``chats``, as the journal does.

        ``erasures`` counts how often that was begun.
        """
        self.erasures += 1
        direct = {chat for known in chats.values() for chat in known}

        def is_hers(entry: TranscriptEntry) -> bool:
            return entry.sender == sender or entry.chat in direct

        for key, each in [*self._known.items()]:
            routed = each.session.to in chats.get(each.session.account, ())
            if routed and each.session.kind == "direct":
                self.forget(key)
                continue
            if each.entries.discard(is_hers) or routed:
                each.session = replace(each.session, summary="")
            if routed:
                each.session = unrouted(each.session)
            self.overheard.release(each.context.discard(is_hers))

    @property
    def resets(self) -> bool:
        """Whether conversations begin anew by themselves."""
        return self.reset != ResetConfig()

    def has_rested(self, conversation: OpenConversation, now: int) -> bool:
        """Return whether a conversation is to begin anew before what is said ``now``."""
        session = conversation.session
        if not (session.runs and self.resets):
            return False
        return reset_due(self.reset, session.updated, now, host_zone()) is not None

    def begun_anew(self, conversation: OpenConversation, now: int) -> OpenConversation:
        """Begin a conversation anew; its session is to be stored."""
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

    def _enter(self, key: str, made: OpenConversation) -> OpenConversation:
        found = self._known.setdefault(key, made)  # another one may have read it meanwhile
        if found is made:
            made.entries.count_in(self._held)
            self._make_room()
        return found

    def _make_room(self) -> None:
        """Forget what was not used for longest; first where nothing was overheard: that is not
        read again.
        """
        known = self._known
        while len(known) > MAX_CONVERSATIONS:
            self._leave(known.popitem(last=False)[1])
        while len(known) > 1 and self._held.total > MAX_HELD_BYTES:
            oldest = next(iter(known))
            spare = next((key for key, each in known.items() if not each.context), oldest)
            self._leave(known.pop(spare))

    def _leave(self, conversation: OpenConversation) -> None:
        """Count a conversation no more, and keep nothing of what was overheard in it."""
        conversation.entries.count_in(HeldBytes())
        self.overheard.release(conversation.context.clear())
