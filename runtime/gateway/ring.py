"""The recent messages of each account, so that a client that was away gets what it missed.

Pure. Frames are kept as they were sent, so replaying them costs a join. Bounded per account,
and over all accounts by sharing one budget between them. A new gateway knows nothing of the
time before it: workers give it the last of what its predecessor acknowledged (``fill``).
"""

from __future__ import annotations

from collections import deque

from ipc.cursors import Cursor

TOTAL_BYTES = 32 * 1024 * 1024


class Ring:
    """Frames of one account by cursor ``(incarnation, seq)``, which only grows.

    All that came after the cursor ``floor`` is here; ``None``: nobody has said anything yet.
    ``dropped``: a limit has raised the floor, so that filling in would be in vain.
    """

    __slots__ = ("_frames", "dropped", "floor", "size_bytes")

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int, bytes]] = deque()
        self.size_bytes = 0
        self.floor: Cursor | None = None
        self.dropped = False

    def __len__(self) -> int:
        return len(self._frames)

    def append(
        self, incarnation: int, seq: int, frame: bytes, limit: int, limit_bytes: int
    ) -> None:
        """Keep ``frame`` and drop the oldest ones beyond the limits."""
        self.extend([(incarnation, seq, frame)], len(frame), limit, limit_bytes)

    def extend(
        self, added: list[tuple[int, int, bytes]], size_bytes: int, limit: int, limit_bytes: int
    ) -> None:
        """Keep some frames with their cursors, ``size_bytes`` together, as ``append``."""
        frames = self._frames
        if self.floor is None:
            self.floor = added[0][0], added[0][1] - 1
        frames.extend(added)
        self.size_bytes += size_bytes
        while len(frames) > limit or self.size_bytes > limit_bytes:
            incarnation, seq, old = frames.popleft()
            self.size_bytes -= len(old)
            self.floor = incarnation, seq
            self.dropped = True

    def begin(self, incarnation: int, seq: int, *, anew: bool) -> None:
        """Learn that what comes next is after ``seq``. ``anew``: something in between has
        never been here, so what came before it is of no use any more.
        """
        if anew:
            self._frames.clear()
            self.size_bytes = 0
            self.dropped = False
        if anew or self.floor is None:
            self.floor = incarnation, seq

    def lacks(self, incarnation: int, kept: int) -> int:
        """Return from which number on this incarnation can fill in what is missing, else 0."""
        floor = self.floor
        if floor is None or self.dropped or floor[0] != incarnation:
            return 0
        return kept if 0 < kept <= floor[1] else 0

    def fill(
        self, incarnation: int, found: list[tuple[int, bytes]], limit: int, limit_bytes: int
    ) -> None:
        """Put ``found``, which is without gaps, before the frames it leads up to."""
        if self.floor is None or not found or (incarnation, found[-1][0]) != self.floor:
            return
        for seq, frame in reversed(found):
            if len(self._frames) >= limit or self.size_bytes + len(frame) > limit_bytes:
                self.dropped = True
                return
            self._frames.appendleft((incarnation, seq, frame))
            self.size_bytes += len(frame)
            self.floor = incarnation, seq - 1

    def after(self, cursor: Cursor) -> tuple[list[bytes], bool]:
        """Return the frames after ``cursor``, and whether that is all there has been."""
        found = [frame for incarnation, seq, frame in self._frames if (incarnation, seq) > cursor]
        return found, self.floor is not None and self.floor <= cursor

    @property
    def oldest(self) -> Cursor | None:
        """The cursor of the oldest frame that is here."""
        return self._frames[0][:2] if self._frames else None


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
        self.extend(key, [(incarnation, seq, frame)], len(frame))

    def extend(self, key: str, added: list[tuple[int, int, bytes]], size_bytes: int) -> None:
        """Keep some frames of the account ``key`` with their cursors."""
        ring = self._rings.get(key) or self.of(key)
        ring.extend(added, size_bytes, self._limit, self._share)

    def of(self, key: str) -> Ring:
        """Return the ring of an account, a new one where there is none."""
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring()
            self._share = min(self._most_bytes, self._total_bytes // len(self._rings))
        return ring

    def fill(self, key: str, incarnation: int, found: list[tuple[int, bytes]]) -> None:
        """Fill in what came before the frames of an account, as ``Ring.fill``."""
        self.of(key).fill(incarnation, found, self._limit, self._share)

    def after(self, key: str, cursor: Cursor) -> tuple[list[bytes], bool]:
        """Return what came after ``cursor``, and whether that is all there has been."""
        ring = self._rings.get(key)
        return ([], False) if ring is None else ring.after(cursor)

    def oldest(self, key: str) -> Cursor | None:
        """Return the cursor of the oldest frame of an account."""
        ring = self._rings.get(key)
        return None if ring is None else ring.oldest

    def remove(self, key: str) -> None:
        """Forget an account that is no more."""
        self._rings.pop(key, None)

    @property
    def size_bytes(self) -> int:
        """Bytes of all frames that are kept."""
        return sum(ring.size_bytes for ring in self._rings.values())
