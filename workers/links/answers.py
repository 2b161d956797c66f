"""Packs the answers to calls, and the progress of long sends, into frames of limited size."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from ipc.frames.data import (
    MAX_PAYLOAD_BYTES,
    PACK_BYTES,
    PACK_FRAMES,
    Answer,
    HttpAnswer,
    SendProgress,
    encode,
    http_head_bytes,
)
from workers.links.backlog import Backlog
from workers.messages import Sent

_encode = msgspec.json.Encoder().encode

AnswerFrame = Answer | HttpAnswer | SendProgress


class AnswerQueue:
    """A queue of answers for the gateway that has sent the calls."""

    def __init__(self) -> None:
        self._frames: deque[AnswerFrame] = deque()
        self._bytes = 0  # of all of them

    def __len__(self) -> int:
        return len(self._frames)

    def append(self, frame: AnswerFrame) -> None:
        """Queue a frame."""
        self._frames.append(frame)
        self._bytes += size_of(frame)

    def clear(self) -> None:
        """Drop everything, because the gateway that has sent the calls is gone."""
        self._frames.clear()
        self._bytes = 0

    @property
    def leaves_room(self) -> bool:
        """Whether everything fits in half a pack, so that the rest is free for messages."""
        return self._bytes <= PACK_BYTES // 2 and len(self._frames) <= PACK_FRAMES

    def next_pack(self) -> list[AnswerFrame]:
        """Return the first frames as a pack of limited size, at least one."""
        if self._bytes <= PACK_BYTES and len(self._frames) <= PACK_FRAMES:  # as nearly always
            pack = list(self._frames)
            self.clear()
            return pack
        pack = [self._frames.popleft()]
        size = size_of(pack[0])
        while self._frames and len(pack) < PACK_FRAMES:
            size += size_of(self._frames[0])
            if size > PACK_BYTES:
                break
            pack.append(self._frames.popleft())
        self._bytes -= sum(map(size_of, pack))
        return pack

    def send(self, send: Callable[[bytes], bool], backlog: Backlog | None = None) -> bool:
        """Send all packs by ``send(body)``; return false as soon as that returns false.

        The last pack is filled with messages of ``backlog``: a body costs more than its content,
        and the event of a sent message then arrives together with the answer.
        """
        while self._frames:
            roomy = self.leaves_room
            pack = self.next_pack()
            along = backlog.next_pack() if backlog is not None and roomy else None
            if not send(encode([*pack, along] if along else pack)):
                if backlog is not None and along:
                    backlog.requeue()
                self.requeue(pack)
                return False
        return True

    def requeue(self, pack: list[AnswerFrame]) -> None:
        """Requeue, in front, a pack that could not be sent."""
        self._frames.extendleft(reversed(pack))
        self._bytes += sum(map(size_of, pack))


def size_of(frame: AnswerFrame) -> int:
    """Return the approximate size of a frame in bytes."""
    if isinstance(frame, Answer):
        return len(frame.payload)
    if isinstance(frame, HttpAnswer):
        return len(frame.payload) + http_head_bytes(frame.headers)
    return len(frame.texts) + len(frame.sent)


def progress_of(
    key: str, attempt: int, texts: Sequence[str], sent: Sequence[Sent]
) -> SendProgress | None:
    """Return the progress frame of a message; ``None`` if its parts are too large for one.

    Then the parts are rendered again at the next attempt.
    """
    made = _encode(texts) if texts else b""
    if len(made) > MAX_PAYLOAD_BYTES:
        return None
    return SendProgress(key, attempt, made, _encode(sent))
