"""Decides which of an account's messages may be sent now: in order per chat, when due. Pure.

One message of a chat is with the worker at a time, so that a later one never overtakes it and at
most one can be in doubt. Chats do not wait for each other. Times are epoch milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque

WIDTH = 32  # messages of one account that are with its worker; it runs 64 calls at once


class _Line:
    """One message, waiting or in progress. ``stored`` is false until it may be sent."""

    __slots__ = ("chat", "expires", "next", "stored", "under_way")

    def __init__(self, chat: str, expires: int, next: int, stored: bool, under_way: bool) -> None:
        self.chat = chat
        self.expires = expires
        self.next = next
        self.stored = stored
        self.under_way = under_way


class Lineup:
    """The unsent messages of one account by key, in the order of their arrival.

    ``width`` is how many may be under way at once.
    """

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._lines: dict[str, _Line] = {}
        self._chats: dict[str, deque[str]] = {}
        self._under_way = 0
        self._held = 0
        self._numbers = itertools.count()  # equal times keep their order
        self._heads: list[tuple[int, int, str]] = []  # first of their chats, by time
        self._ends: list[tuple[int, int, str]] = []  # by expiry; both may name what is no more

    def __len__(self) -> int:
        return len(self._lines)

    def add(
        self,
        key: str,
        chat: str,
        expires: int,
        *,
        next: int = 0,
        stored: bool = True,
        under_way: bool = False,
    ) -> None:
        """Append a message to those of its chat; ``under_way``: its attempt has begun."""
        line = self._lines[key] = _Line(chat, expires, next, stored, under_way)
        self._chats.setdefault(chat, deque()).append(key)
        self._under_way += under_way
        self._push_end(key, line)
        self._push_head(chat)

    def may_begin(self, chat: str, now: int) -> bool:
        """Return whether a new message to ``chat`` could be sent at once."""
        return chat not in self._chats and self._under_way < self._width and now >= self._held

    def on_stored(self, key: str) -> None:
        """Allow attempts of a message: it is in the journal now."""
        line = self._lines[key]
        line.stored = True
        self._push_end(key, line)
        self._push_head(line.chat)

    def remove(self, key: str) -> None:
        """Remove a message that was sent or given up."""
        line = self._lines.pop(key)
        self._under_way -= line.under_way
        keys = self._chats[line.chat]
        keys.remove(key)  # almost always the first
        if keys:
            self._push_head(line.chat)
        else:
            del self._chats[line.chat]

    def postpone(self, key: str, next: int) -> None:
        """Schedule the next attempt of a message in progress for ``next``."""
        line = self._lines[key]
        self._under_way -= line.under_way
        line.under_way, line.next = False, next
        self._push_end(key, line)
        self._push_head(line.chat)

    def pause(self, until: int) -> None:
        """Pause all attempts until ``until``; an earlier time changes nothing."""
        self._held = max(self._held, until)

    def move(self, ms: int) -> None:
        """Move all times by so many milliseconds, because the clock was set."""
        self._held += ms if self._held else 0
        self._heads, self._ends = [], []
        for key, line in self._lines.items():
            line.expires += ms
            line.next += ms if line.next else 0
            self._push_end(key, line)
        for chat in self._chats:
            self._push_head(chat)

    def begin_due(self, now: int) -> list[str]:
        """Begin the attempts that are due: return their messages, which count as in progress."""
        taken = []
        while self._under_way < self._width and now >= self._held:
            key = self._pop_due(now)
            if key is None:
                break
            self._lines[key].under_way = True
            self._under_way += 1
            taken.append(key)
        return taken

    def pop_expired(self, now: int) -> list[str]:
        """Return the messages that have waited too long; the caller removes them."""
        found: dict[str, None] = {}
        while self._ends and self._ends[0][0] <= now:
            expires, _, key = heapq.heappop(self._ends)
            line = self._lines.get(key)
            if line is not None and line.expires == expires and line.stored and not line.under_way:
                found[key] = None  # any other is looked at again when it waits
        return list(found)

    def next_due(self, *, beginning: bool = True) -> int | None:
        """Return when to check again; ``None``: not before another event.

        Without ``beginning`` nothing can be tried at the moment: only what expires counts.
        """
        times = [self._ends[0][0]] if self._ends else []
        if beginning and self._heads and self._under_way < self._width:
            times.append(max(self._heads[0][0], self._held))
        return min(times, default=None)

    def _pop_due(self, now: int) -> str | None:
        while self._heads and self._heads[0][0] <= now:
            due, _, key = heapq.heappop(self._heads)
            line = self._lines.get(key)
            if line is not None and line.next == due and self._is_ready(key, line):
                return key
        return None

    def _is_ready(self, key: str, line: _Line) -> bool:
        return line.stored and not line.under_way and self._chats[line.chat][0] == key

    def _push_head(self, chat: str) -> None:
        key = self._chats[chat][0]
        line = self._lines[key]
        if self._is_ready(key, line):
            heapq.heappush(self._heads, (line.next, next(self._numbers), key))

    def _push_end(self, key: str, line: _Line) -> None:
        heapq.heappush(self._ends, (line.expires, next(self._numbers), key))
