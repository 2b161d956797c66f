"""Numbers the output of turns, keeps it until it is acknowledged, and packs it fairly. Pure.

Each turn has its own numbers and its own credit: one that floods the gateway delays only itself,
and gets no more than its share of a pack. Text of a turn that has frames in flight is joined, so a
busy gateway gets fewer events.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ipc.frames.data import PACK_BYTES, PACK_FRAMES, TurnEnded, TurnEvents, TurnTaken
from workers.agent import Delta

CREDIT_BYTES = 64 * 1024  # of one turn that are not acknowledged; then the agent waits
CREDIT_EVENTS = 256  # likewise: a flood of short ones must not keep the gateway's loop for long
SHARE_BYTES = 8 * 1024  # of one turn in a pack, while others wait; its first payload always goes
SHARE_EVENTS = 256
JOINED_CHARS = 4 * 1024  # of one delta; each may take 6 bytes of JSON

_encode = msgspec.json.Encoder().encode

TurnFrame = TurnTaken | TurnEvents | TurnEnded


class TurnLog:
    """The output of one turn. Its events are numbered from 1; its end follows the last one.

    ``last`` is the newest number, ``sent`` the newest that was sent, ``acked`` the newest that was
    acknowledged; later events are kept, of ``unacked_bytes`` in total. Text gets a number only when
    another event follows or it is sent, which is when nothing is unacknowledged.
    """

    __slots__ = (
        "_kept",
        "_text",
        "_text_length",
        "acked",
        "ended",
        "last",
        "name",
        "sent",
        "taken",
        "unacked_bytes",
    )

    def __init__(self, name: str, after: int = 0) -> None:
        self.name = name
        self.acked = self.sent = self.last = after
        self.ended = False
        self.taken = False  # the gateway is to be sent ``TurnTaken``
        self.unacked_bytes = 0
        self._kept: list[bytes] = []
        self._text: list[str] = []  # the delta that is being joined
        self._text_length = 0

    @property
    def has_room(self) -> bool:
        """Whether another event may be added now."""
        return self.unacked_bytes < CREDIT_BYTES and self.last - self.acked < CREDIT_EVENTS

    @property
    def over(self) -> bool:
        """Whether the turn has ended, and its end is acknowledged."""
        return self.ended and self.acked == self.last

    @property
    def waiting(self) -> bool:
        """Whether there is something to send."""
        return self.taken or self.sent < self.last or (bool(self._text) and self._is_quiet)

    @property
    def _is_quiet(self) -> bool:
        return self.acked == self.last

    def add_text(self, text: str) -> None:
        """Add a piece of encodable text; raises ``ValueError`` after the end."""
        if self.ended:
            raise ValueError("the turn has ended")
        if self._text_length + len(text) > JOINED_CHARS:
            self._number_text()
        self._text.append(text)
        self._text_length += len(text)

    def append(self, payload: bytes) -> None:
        """Add an event; raises ``ValueError`` after the end."""
        if self.ended:
            raise ValueError("the turn has ended")
        self._number_text()
        self._append(payload)

    def _number_text(self) -> None:
        if self._text:
            self._append(_encode(Delta("".join(self._text))))
            self._text.clear()
            self._text_length = 0

    def _append(self, payload: bytes) -> None:
        self._kept.append(payload)
        self.last += 1
        self.unacked_bytes += len(payload)

    def end(self, payload: bytes) -> None:
        """Add the end; raises ``ValueError`` if it has already ended."""
        self.append(payload)
        self.ended = True

    def ack(self, seq: int) -> bool:
        """Drop everything up to ``seq``; return whether there was anything."""
        count = min(seq, self.last) - self.acked
        if count <= 0:
            return False
        self.unacked_bytes -= sum(map(len, self._kept[:count]))
        del self._kept[:count]
        self.acked += count
        self.sent = max(self.sent, self.acked)
        return True

    def rewind(self, after: int) -> None:
        """Mark everything after ``after`` that is still kept as unsent."""
        self.sent = min(self.sent, max(after, self.acked))

    def next_frames(self, max_bytes: int) -> tuple[list[TurnFrame], int]:
        """Return the next frames, with payloads of at most ``max_bytes``, and their size.

        The first payload is taken whatever its size.
        """
        if self._is_quiet:
            self._number_text()
        frames: list[TurnFrame] = []
        if self.taken:
            self.taken = False
            frames.append(TurnTaken(self.name, self.acked))
        first, size, found = self.sent + 1, 0, list[bytes]()
        for payload in self._kept[self.sent - self.acked :]:
            if found and (size + len(payload) > max_bytes or len(found) >= SHARE_EVENTS):
                break
            size += len(payload)
            found.append(payload)
        self.sent += len(found)
        end = found.pop() if found and self.ended and self.sent == self.last else None
        if found:
            frames.append(TurnEvents(self.name, first, found))
        if end is not None:
            frames.append(TurnEnded(self.name, self.last, end))
        return frames, size


class TurnQueue:
    """The logs of all turns of a process, by name, and their sending order."""

    def __init__(self) -> None:
        self.logs: dict[str, TurnLog] = {}
        self._waiting: dict[str, TurnLog] = {}  # in the order of their turn

    def __len__(self) -> int:
        """Return how many turns have something to send."""
        return len(self._waiting)

    @property
    def unacked(self) -> tuple[int, int]:
        """The number of unacknowledged payloads, and their bytes."""
        logs = self.logs.values()
        return sum(log.last - log.acked for log in logs), sum(log.unacked_bytes for log in logs)

    def open(self, name: str, after: int = 0) -> TurnLog:
        """Return a new log that begins after the number ``after``."""
        log = self.logs[name] = TurnLog(name, after)
        return log

    def forget(self, log: TurnLog) -> None:
        """Remove the log of a turn that is over."""
        self.logs.pop(log.name, None)
        self._waiting.pop(log.name, None)

    def schedule(self, log: TurnLog) -> None:
        """Schedule a log that has something to send."""
        if log.waiting:
            self._waiting.setdefault(log.name, log)

    def resend(self) -> None:
        """Mark all unacknowledged events as unsent, because they may be lost."""
        for log in self.logs.values():
            log.rewind(log.acked)
            self.schedule(log)

    def next_pack(self) -> list[TurnFrame]:
        """Return the next pack, in which each waiting turn has a share; empty if none waits."""
        pack: list[TurnFrame] = []
        left = PACK_BYTES
        while self._waiting and left > 0 and len(pack) < PACK_FRAMES:
            name = next(iter(self._waiting))
            log = self._waiting.pop(name)
            frames, size = log.next_frames(min(SHARE_BYTES, left))
            if pack and size > left:  # a large payload begins the next pack
                self.requeue(frames)
                self._waiting = {name: log} | self._waiting
                break
            pack += frames
            left -= size
            self.schedule(log)  # behind the others
        return pack

    def requeue(self, frames: Iterable[TurnFrame]) -> None:
        """Requeue frames that could not be sent."""
        for frame in frames:
            log = self.logs.get(frame.turn)
            if log is None:
                continue
            if isinstance(frame, TurnTaken):
                log.taken = True
            else:
                log.rewind((frame.first if isinstance(frame, TurnEvents) else frame.seq) - 1)
            self.schedule(log)
