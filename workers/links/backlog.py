"""Keeps the messages of a worker until the gateway acknowledges them. Pure.

This module alone ensures that no message is lost or reordered, and that memory is bounded; it is
tested over random histories.

Rules. Sequence numbers start at 1 and have no gap. ``append`` gathers messages in packs, of
at most 64 and 64 KiB; from then on a pack is moved as a whole, so that a message costs one
step here instead of four. ``next_pack`` hands packs out oldest first while at most ``window`` bytes
are in flight. ``ack`` is cumulative; one for what was never sent is clamped. ``resend`` puts
everything in flight back to the front; for a gateway whose predecessor may have handed it on
already it is marked ``REDELIVERED``. What is acknowledged is kept for a while, up to ``keep``
bytes: ``history`` returns it for a new gateway, marked ``HISTORY``, so that it can replay what
it has never seen.

A message may bring a cursor, the plugin's position at the platform after it. A pack carries one
cursor, that of its last message: further messages with a cursor of their own replace it, because a
pack is stored as a whole; a message without one begins a new pack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from ipc.frames.data import HISTORY, PACK_BYTES, PACK_FRAMES, REDELIVERED, Messages

MAX_MESSAGES = 10_000
MAX_BYTES = 8 * 1024 * 1024
WINDOW_BYTES = 256 * 1024  # the credit of one account: a flood cannot own the gateway
KEEP_BYTES = 256 * 1024  # of acknowledged messages, for the ring of a new gateway
FRAME_BYTES = 16  # of one message beside its payload
TURN_MESSAGES = 128  # a plugin that never waits lets its loop turn after so many

MARK = b',"redelivered":true}'  # takes the place of the payload's closing brace


class Pack:
    """Consecutive messages, from sequence number ``first`` on, that are moved together."""

    __slots__ = ("cursor", "first", "flags", "payloads", "size_bytes")

    def __init__(self, first: int) -> None:
        self.first = first
        self.flags = bytearray()
        self.payloads: list[bytes] = []
        self.cursor = b""
        self.size_bytes = 0

    @property
    def last(self) -> int:
        """The sequence number of the newest message."""
        return self.first + len(self.payloads) - 1

    def add(self, payload: bytes, flags: int) -> None:
        """Add the next message."""
        self.payloads.append(payload)
        self.flags.append(flags)
        self.size_bytes += len(payload) + FRAME_BYTES

    def split(self, seq: int) -> tuple[Pack, Pack]:
        """Return one pack with the messages up to and with ``seq``, and one with the rest."""
        head, tail = Pack(self.first), Pack(seq + 1)
        for number, payload in enumerate(self.payloads, self.first):
            (head if number <= seq else tail).add(payload, self.flags[number - self.first])
        tail.cursor = self.cursor
        tail.size_bytes += len(self.cursor)
        return head, tail

    def messages(self, *, redelivered: bool = False) -> Messages:
        """Return the frame that carries the pack, each message marked when ``redelivered``."""
        if not redelivered:
            return Messages(self.first, bytes(self.flags), self.payloads, self.cursor)
        flags = bytes(flags | REDELIVERED for flags in self.flags)
        marked = [payload[:-1] + MARK for payload in self.payloads]
        return Messages(self.first, flags, marked, self.cursor)

    def history(self) -> Messages:
        """Return the frame that carries the pack as messages acknowledged before."""
        flags = bytes(flags | HISTORY for flags in self.flags)
        return Messages(self.first, flags, self.payloads)


_NO_PACK = Pack(0)


class Backlog:
    """The messages of one incarnation, from ``append`` until ``ack``.

    ``last`` is the newest sequence number, ``acked`` the newest acknowledged, ``sent`` the
    newest ever handed out; ``full`` is true when a bound is reached, ``crowded`` also when enough
    has come in this turn of the loop (attributes: one is read for every message). Bounds,
    ``window`` and ``keep`` count messages or bytes. ``cursor`` is the newest that was acknowledged,
    of the message ``cursor_at``; 0: none was. ``on_pack`` is called when there is a new pack to
    send.
    """

    __slots__ = (
        "_closed_bytes",
        "_flight",
        "_flight_bytes",
        "_full_bytes",
        "_keep_bytes",
        "_kept",
        "_kept_bytes",
        "_marked",
        "_on_pack",
        "_open",
        "_open_end",
        "_pack_bytes",
        "_pause_at",
        "_turn_end",
        "_waiting",
        "acked",
        "crowded",
        "cursor",
        "cursor_at",
        "full",
        "last",
        "max_bytes",
        "max_messages",
        "sent",
        "window",
    )

    def __init__(
        self,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        window: int = WINDOW_BYTES,
        keep: int = KEEP_BYTES,
        on_pack: Callable[[], None] = lambda: None,
    ) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.window = window
        self.last = self.acked = self.sent = 0
        self.cursor = b""
        self.cursor_at = 0
        self._on_pack = on_pack
        self._marked = 0  # up to here, what is sent again is marked as redelivered
        self._flight: deque[Pack] = deque()
        self._flight_bytes = 0
        self._waiting: deque[Pack] = deque()
        self._open = _NO_PACK  # the last waiting one, while it may grow
        self._open_end = -1  # the last message that may go into it
        self._closed_bytes = 0  # of all packs but that one
        self._pack_bytes = min(PACK_BYTES, window)
        self._keep_bytes = keep
        self._kept: deque[Pack] = deque()
        self._kept_bytes = 0
        self.begin_turn()

    def __len__(self) -> int:
        return self.last - self.acked

    @property
    def size_bytes(self) -> int:
        """Bytes of all messages that are not acknowledged, and of their frames."""
        return self._closed_bytes + self._open.size_bytes

    @property
    def idle(self) -> bool:
        """True when every message is acknowledged."""
        return self.last == self.acked

    @property
    def oldest(self) -> int:
        """The lowest sequence number that may still be sent."""
        return self.acked + 1

    @property
    def kept(self) -> int:
        """The lowest acknowledged sequence number that is still kept; 0: none is."""
        return self._kept[0].first if self._kept else 0

    @property
    def flying(self) -> bool:
        """True while a message is in flight: handed out and not acknowledged."""
        return bool(self._flight)

    @property
    def unsent(self) -> bool:
        """True while a message waits for ``next_pack``."""
        return bool(self._waiting)

    def append(self, payload: bytes, flags: int, cursor: bytes = b"") -> int:
        """Add ``payload`` (a JSON object), kept until it is acknowledged; return its number.

        Callers wait where it is ``crowded``; those that must not wait may exceed the bounds.
        """
        self.last = seq = self.last + 1
        cost = len(payload) + FRAME_BYTES
        pack = self._open
        size = pack.size_bytes + cost
        if seq > self._open_end or size > self._pack_bytes or (pack.cursor and not cursor):
            pack, size = self._begin_pack(seq), cost
        pack.payloads.append(payload)  # ``Pack.add`` without the call
        pack.flags.append(flags)
        if cursor:
            size += len(cursor) - len(pack.cursor)
            pack.cursor = cursor
        pack.size_bytes = size
        if seq >= self._pause_at or size >= self._full_bytes:
            self._refresh_bounds()
        return seq

    def begin_turn(self) -> None:
        """Begin a new turn of the loop: callers may append again."""
        self._turn_end = self.last + TURN_MESSAGES
        self._refresh_bounds()

    def _refresh_bounds(self) -> None:
        full_at = self.acked + self.max_messages
        self.full = self.last >= full_at or self.size_bytes >= self.max_bytes
        self.crowded = self.full or self.last >= self._turn_end
        self._pause_at = min(full_at, self._turn_end)  # no bound but bytes is reached before
        self._full_bytes = self.max_bytes - self._closed_bytes  # of the open pack

    def _begin_pack(self, seq: int) -> Pack:
        self._close_pack()
        pack = self._open = Pack(seq)
        self._open_end = seq + PACK_FRAMES - 1
        self._waiting.append(pack)
        self._on_pack()
        return pack

    def _close_pack(self) -> None:
        self._closed_bytes += self._open.size_bytes
        self._full_bytes = self.max_bytes - self._closed_bytes
        self._open, self._open_end = _NO_PACK, -1

    def next_pack(self) -> Messages | None:
        """Return the next pack to send; ``None`` when none waits or the window is used up.

        A pack that is larger than the window is sent alone.
        """
        if not self._waiting:
            return None
        pack = self._waiting[0]
        if self._flight and self._flight_bytes + pack.size_bytes > self.window:
            return None
        self._waiting.popleft()
        self._flight.append(pack)
        self._flight_bytes += pack.size_bytes
        if pack is self._open:
            self._close_pack()
        if pack.last > self.sent:
            self.sent = pack.last
        return pack.messages(redelivered=pack.first <= self._marked)

    def requeue(self) -> None:
        """Undo the last ``next_pack``: the link did not accept the pack."""
        pack = self._flight.pop()
        self._flight_bytes -= pack.size_bytes
        self._waiting.appendleft(pack)

    def ack(self, seq: int) -> int:
        """Mark all messages up to and including ``seq`` as acknowledged; return their number."""
        seq = min(seq, self.sent)
        before = self.acked
        if seq <= before:
            return 0
        flown = self._pop(self._flight, seq)
        self._flight_bytes -= flown
        self._closed_bytes -= flown + self._pop(self._waiting, seq)
        self.acked = seq
        self._trim()
        self._refresh_bounds()
        return seq - before

    def resend(self, *, marked: bool) -> int:
        """Queue all messages in flight again, before others; return their number.

        ``marked``: another gateway may have handed it on already, so everything that was
        ever sent carries the mark from now on. A gateway that still knows what it has
        handed on drops duplicates by itself and needs no mark.
        """
        again = sum(len(pack.payloads) for pack in self._flight)
        self._waiting.extendleft(reversed(self._flight))
        self._flight.clear()
        self._flight_bytes = 0
        if marked:
            self._marked = self.sent
        return again

    def history(self, first: int, before: int) -> Iterator[Messages]:
        """Yield the kept messages from ``first`` until before ``before`` in packs, oldest first."""
        for pack in self._kept:
            low, high = max(pack.first, first), min(pack.last, before - 1)
            if low <= high:
                yield pack.history().part(low, high)

    def _pop(self, queue: deque[Pack], seq: int) -> int:
        """Move acknowledged packs of ``queue`` to the kept ones; return their bytes."""
        size = 0
        while queue and queue[0].first <= seq:
            pack = queue.popleft()
            if pack.last > seq:
                pack, rest = pack.split(seq)
                queue.appendleft(rest)
            size += pack.size_bytes
            if pack.cursor:
                self.cursor, self.cursor_at = pack.cursor, pack.last
                pack.size_bytes -= len(pack.cursor)
                pack.cursor = b""
            self._kept.append(pack)
            self._kept_bytes += pack.size_bytes
        return size

    def _trim(self) -> None:
        while self._kept_bytes > self._keep_bytes:
            self._kept_bytes -= self._kept.popleft().size_bytes
