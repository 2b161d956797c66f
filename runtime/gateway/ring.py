"""The recent messages of each account, so that a client that was away gets what it missed.

Pure. Frames are kept as they were sent, so replaying them costs a join. Bounded per account,
and over all accounts by sharing one budget between them.
"""

from __future__ import annotations

from collections import deque

from ipc.errors import FrameError

TOTAL_BYTES = 32 * 1024 * 1024


class Ring:
    """Frames of one account by cursor ``(incarnation, seq)``, which only grows.

    ``dropped`` is the cursor of the newest frame that had to go, or ``None``.
    """

    __slots__ = ("_frames", "dropped", "size_bytes")

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int, bytes]] = deque()
        self.size_bytes = 0
        self.dropped: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def append(
        self, incarnation: int, seq: int, frame: bytes, limit: int, limit_bytes: int
    ) -> None:
        """Keep ``frame`` and drop the oldest ones beyond the limits."""
        frames = self._frames
        frames.append((incarnation, seq, frame))
        self.size_bytes += len(frame)
        while len(frames) > limit or self.size_bytes > limit_bytes:
            incarnation, seq, old = frames.popleft()
            self.size_bytes -= len(old)
            self.dropped = incarnation, seq

    def after(self, cursor: tuple[int, int]) -> tuple[list[bytes], bool]:
        """Return the frames after ``cursor``, and whether that is all there has been."""
        found = [frame for incarnation, seq, frame in self._frames if (incarnation, seq) > cursor]
        return found, self.dropped is None or self.dropped <= cursor


class Rings:
    """The rings of all accounts."""

    def __init__(self, limit: int, limit_bytes: int, total_bytes: int = TOTAL_BYTES) -> None:
        self._limit = limit
        self._most_bytes = limit_bytes
        self._total_bytes = total_bytes
        self._rings: dict[str, Ring] = {}
        self._share = limit_bytes

    def append(self, key: str, incarnation: int, seq: int, frame: bytes) -> None:
        """Keep a frame of the account ``key``."""
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring()
            self._share = min(self._most_bytes, self._total_bytes // len(self._rings))
        ring.append(incarnation, seq, frame, self._limit, self._share)

    def after(self, key: str, cursor: tuple[int, int]) -> tuple[list[bytes], bool]:
        """Return what came after ``cursor``, as ``Ring.after``. An empty ring has lost nothing
        that it knew of, but cannot know about the time before it: that is not complete.
        """
        ring = self._rings.get(key)
        return ([], False) if ring is None else ring.after(cursor)

    def remove(self, key: str) -> None:
        """Forget an account that is no more."""
        self._rings.pop(key, None)

    @property
    def size_bytes(self) -> int:
        """Bytes of all frames that are kept."""
        return sum(ring.size_bytes for ring in self._rings.values())


def parse_cursor(text: str) -> tuple[int, int]:
    """Read ``<incarnation>:<seq>``; raises ``FrameError``."""
    incarnation, _, seq = text.partition(":")
    if not (incarnation.isascii() and incarnation.isdigit() and seq.isascii() and seq.isdigit()):
        raise FrameError(f"not a cursor: {text[:80]!r}")
    return int(incarnation[:20]), int(seq[:20])
