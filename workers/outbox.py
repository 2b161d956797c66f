"""What an account has said and the gateway has not yet acknowledged.

Pure: no clock, no socket, no task. That nothing is lost, reordered or kept without bound is
decided here alone and tested over random histories.

Rules. Sequence numbers start at 1 and have no gap. ``take`` hands messages out oldest first
while at most ``window`` bytes are in flight. ``ack`` is cumulative; one for what was never
sent is clamped. ``resend`` puts everything in flight back to the front; before a gateway
that may have handed it on in an earlier life it is marked ``REDELIVERED``. What is
acknowledged is kept a while, up to ``keep`` bytes: ``history`` gives it to a new gateway, marked
``HISTORY``, so that it can replay what it has never seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ipc.envelope import HISTORY, PACK_BYTES, PACK_FRAMES, REDELIVERED, Message

MAX_MESSAGES = 10_000
MAX_BYTES = 8 * 1024 * 1024
WINDOW_BYTES = 256 * 1024  # the credit of one account: a flood cannot own the gateway
KEEP_BYTES = 256 * 1024  # of what is acknowledged, for the ring of a new gateway
FRAME_BYTES = 16  # what a frame costs beside its payload

MARK = b',"redelivered":true}'  # takes the place of the payload's closing brace


class Outbox:
    """Messages of one incarnation, from ``append`` until ``ack``.

    ``last`` is the newest sequence number, ``acked`` the newest acknowledged, ``sent`` the
    newest ever handed out; ``size_bytes`` counts payloads and their frames; ``full`` says that
    a bound is reached (an attribute: it is read for every message).
    """

    __slots__ = (
        "_flight",
        "_flight_bytes",
        "_keep_bytes",
        "_kept",
        "_kept_bytes",
        "_marked",
        "_waiting",
        "acked",
        "full",
        "last",
        "max_bytes",
        "max_messages",
        "sent",
        "size_bytes",
        "window",
    )

    def __init__(
        self,
        *,
        max_messages: int = MAX_MESSAGES,
        max_bytes: int = MAX_BYTES,
        window: int = WINDOW_BYTES,
        keep: int = KEEP_BYTES,
    ) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.window = window
        self.last = self.acked = self.sent = 0
        self.size_bytes = 0
        self.full = False
        self._marked = 0  # up to here, what is taken again is marked as redelivered
        self._flight: deque[Message] = deque()
        self._flight_bytes = 0
        self._waiting: deque[Message] = deque()
        self._keep_bytes = keep
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0

    def __len__(self) -> int:
        return self.last - self.acked

    @property
    def idle(self) -> bool:
        """Whether everything was acknowledged."""
        return self.last == self.acked

    @property
    def oldest(self) -> int:
        """The lowest sequence number that a gateway may still be sent."""
        return self.acked + 1

    @property
    def kept(self) -> int:
        """The lowest acknowledged number that is still here; 0: none is."""
        return self._kept[0].seq if self._kept else 0

    @property
    def flying(self) -> bool:
        """Whether something was handed out and is not acknowledged."""
        return bool(self._flight)

    @property
    def unsent(self) -> bool:
        """Whether something waits to be taken."""
        return bool(self._waiting)

    def append(self, payload: bytes, flags: int) -> int:
        """Keep ``payload`` (a JSON object) until it is acknowledged; return its number.

        The caller waits while ``full``; what must not wait may go over the bound.
        """
        self.last = seq = self.last + 1
        self._waiting.append(Message(seq, flags, payload))
        self.size_bytes += len(payload) + FRAME_BYTES
        if seq - self.acked >= self.max_messages or self.size_bytes >= self.max_bytes:
            self.full = True
        return seq

    def take(self) -> list[Message]:
        """Hand out the next pack: at most 16 messages or 64 KiB, and no more than the window.

        Empty when nothing waits or the window is used up. A single message larger than all
        of that goes alone.
        """
        pack: list[Message] = []
        waiting, flight, size = self._waiting, self._flight, 0
        room = self.window - self._flight_bytes
        while waiting and len(pack) < PACK_FRAMES:
            message = waiting[0]
            cost = len(message.payload) + FRAME_BYTES
            size_then = size + cost
            if (flight and size_then > room) or (pack and size_then > PACK_BYTES):
                break
            waiting.popleft()
            flight.append(message)
            pack.append(message if message.seq > self._marked else _marked(message))
            size = size_then
        self._flight_bytes += size
        if pack and pack[-1].seq > self.sent:
            self.sent = pack[-1].seq
        return pack

    def putback(self, pack: list[Message]) -> None:
        """Undo the ``take`` that just returned ``pack``: the link could not carry it."""
        for _ in pack:
            message = self._flight.pop()
            self._flight_bytes -= len(message.payload) + FRAME_BYTES
            self._waiting.appendleft(message)

    def ack(self, seq: int) -> int:
        """Forget every message up to and with ``seq``; return how many that were."""
        seq = min(seq, self.sent)
        before = self.acked
        if seq <= before:
            return 0
        flown = self._pop(self._flight, seq)
        self._flight_bytes -= flown
        self.size_bytes -= flown + self._pop(self._waiting, seq)
        self.acked = seq
        self._trim()
        self.full = self.last - seq >= self.max_messages or self.size_bytes >= self.max_bytes
        return seq - before

    def resend(self, *, marked: bool) -> int:
        """Put what is in flight back to be taken again, first; return how many.

        ``marked``: another gateway may have handed it on already, so everything that was
        ever sent carries the mark from now on. The gateway that still knows what it has
        handed on drops duplicates by itself and needs no mark.
        """
        again = len(self._flight)
        self._waiting.extendleft(reversed(self._flight))
        self._flight.clear()
        self._flight_bytes = 0
        if marked:
            self._marked = self.sent
        return again

    def history(self, first: int, before: int) -> Iterator[list[Message]]:
        """Yield in packs what was acknowledged from ``first`` up to ``before``, oldest first."""
        pack: list[Message] = []
        size = 0
        for message in self._kept:
            if not first <= message.seq < before:
                continue
            size += len(message.payload) + FRAME_BYTES
            if pack and (size > PACK_BYTES or len(pack) == PACK_FRAMES):
                yield pack
                pack, size = [], len(message.payload) + FRAME_BYTES
            pack.append(Message(message.seq, message.flags | HISTORY, message.payload))
        if pack:
            yield pack

    def _pop(self, queue: deque[Message], seq: int) -> int:
        """Move what is acknowledged to what is kept; return its bytes."""
        size = 0
        while queue and queue[0].seq <= seq:
            message = queue.popleft()
            size += len(message.payload) + FRAME_BYTES
            self._kept.append(message)
        self._kept_bytes += size
        return size

    def _trim(self) -> None:
        while self._kept_bytes > self._keep_bytes:
            self._kept_bytes -= len(self._kept.popleft().payload) + FRAME_BYTES


def _marked(message: Message) -> Message:
    return Message(message.seq, message.flags | REDELIVERED, message.payload[:-1] + MARK)
