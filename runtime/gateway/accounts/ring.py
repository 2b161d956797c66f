"""Keeps the recent messages of each account, to replay them to clients that missed them. Pure.

Payloads are kept as they came, in the packs in which they came. Bounded per account,
and over all accounts by sharing one budget between them. A new gateway knows nothing of the
time before it: workers give it the last of what its predecessor acknowledged (``fill``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import islice

from ipc.frames.cursors import Cursor
from ipc.frames.data import PACK_FRAMES

TOTAL_BYTES = 32 * 1024 * 1024

Run = tuple[int, int, list[bytes], int]  # incarnation, first number, payloads, their bytes


def _begin(run: Run) -> Cursor:
    return run[:2]


class Ring:
    """Payloads of one account by cursor ``(incarnation, seq)``, which only grows.

    All that came after the cursor ``floor`` is here; ``None``: no message has come yet.
    ``dropped``: a limit has raised the floor, so that filling in what came before is no use.
    """

    __slots__ = ("_count", "_runs", "dropped", "floor", "size_bytes")

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self._count = 0
        self.size_bytes = 0
        self.floor: Cursor | None = None
        self.dropped = False

    def __len__(self) -> int:
        return self._count

    def extend(
        self, incarnation: int, first: int, payloads: list[bytes], limit: int, limit_bytes: int
    ) -> None:
        """Add ``payloads``, numbered from ``first`` on.

        Beyond the limits the oldest packs are dropped, and where one pack exceeds them alone, its
        oldest payloads.
        """
        if self.floor is None:
            self.floor = incarnation, first - 1
        size_bytes = sum(map(len, payloads))
        self._runs.append((incarnation, first, payloads, size_bytes))
        self._count += len(payloads)
        self.size_bytes += size_bytes
        while self._count > limit or self.size_bytes > limit_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        incarnation, first, payloads, size_bytes = self._runs.popleft()
        if not self._runs and len(payloads) > 1:
            left = size_bytes - len(payloads[0])
            self._runs.append((incarnation, first + 1, payloads[1:], left))
            payloads, size_bytes = payloads[:1], size_bytes - left
        self._count -= len(payloads)
        self.size_bytes -= size_bytes
        self.floor = incarnation, first + len(payloads) - 1
        self.dropped = True

    def begin(self, incarnation: int, seq: int, *, anew: bool) -> None:
        """Set the number ``seq`` that the next payload follows.

        ``anew``: something in between is missing here, so the payloads before it are dropped.
        """
        if anew:
            self._runs.clear()
            self._count = self.size_bytes = 0
            self.dropped = False
        if anew or self.floor is None:
            self.floor = incarnation, seq

    def first_missing(self, incarnation: int, kept: int) -> int:
        """Return the first number that this incarnation should resend to fill the ring; 0: none."""
        floor = self.floor
        if floor is None or self.dropped or floor[0] != incarnation:
            return 0
        return kept if 0 < kept <= floor[1] else 0

    def fill(
        self, incarnation: int, found: list[tuple[int, bytes]], limit: int, limit_bytes: int
    ) -> None:
        """Insert ``found``, which has no gaps, before the payloads that follow it."""
        if self.floor is None or not found or (incarnation, found[-1][0]) != self.floor:
            return
        while found:
            part = found[-PACK_FRAMES:]
            found = found[:-PACK_FRAMES]
            payloads = [payload for _, payload in part]
            while payloads and (
                self._count + len(payloads) > limit
                or self.size_bytes + sum(map(len, payloads)) > limit_bytes
            ):
                payloads.pop(0)
                self.dropped = True
            if payloads:
                first, size_bytes = part[-len(payloads)][0], sum(map(len, payloads))
                self._runs.appendleft((incarnation, first, payloads, size_bytes))
                self._count += len(payloads)
                self.size_bytes += size_bytes
                self.floor = incarnation, first - 1
            if self.dropped:
                return

    def following(self, cursor: Cursor, most_bytes: int) -> list[tuple[Cursor, bytes]]:
        """Return the first payloads after ``cursor``, with their own: so many bytes, or one."""
        found: list[tuple[Cursor, bytes]] = []
        begin = max(bisect_right(self._runs, cursor, key=_begin) - 1, 0)
        for incarnation, first, payloads, _ in islice(self._runs, begin, None):
            for seq, payload in enumerate(payloads, first):
                if (incarnation, seq) <= cursor:
                    continue
                most_bytes -= len(payload)
                if found and most_bytes < 0:
                    return found
                found.append(((incarnation, seq), payload))
        return found

    def last(self, count: int) -> list[bytes]:
        """Return the last ``count`` payloads, the newest one last."""
        found: list[bytes] = []
        for _, _, payloads, _ in reversed(self._runs):
            if len(found) >= count:
                break
            found.extend(reversed(payloads))
        return found[:count][::-1]

    @property
    def oldest(self) -> Cursor | None:
        """The cursor of the oldest payload in the ring."""
        return self._runs[0][:2] if self._runs else None

    @property
    def newest(self) -> Cursor | None:
        """The cursor of the newest payload; ``None`` if nothing is known."""
        if not self._runs:
            return self.floor
        incarnation, first, payloads, _ = self._runs[-1]
        return incarnation, first + len(payloads) - 1


class Rings:
    """The rings of all accounts."""

    def __init__(self, limit: int, limit_bytes: int, total_bytes: int = TOTAL_BYTES) -> None:
        self._limit = limit
        self._most_bytes = limit_bytes
        self._total_bytes = total_bytes
        self._rings: dict[str, Ring] = {}
        self._share = limit_bytes

    def extend(self, key: str, incarnation: int, first: int, payloads: list[bytes]) -> None:
        """Add payloads of the account ``key``, numbered from ``first`` on."""
        ring = self._rings.get(key) or self.of(key)
        ring.extend(incarnation, first, payloads, self._limit, self._share)

    def of(self, key: str) -> Ring:
        """Return the ring of an account; add an empty one if it has none."""
        ring = self._rings.get(key)
        if ring is None:
            ring = self._rings[key] = Ring()
            self._divide()
        return ring

    def fill(self, key: str, incarnation: int, found: list[tuple[int, bytes]]) -> None:
        """Fill in what came before the payloads of an account, as ``Ring.fill``."""
        self.of(key).fill(incarnation, found, self._limit, self._share)

    def following(self, key: str, cursor: Cursor, most_bytes: int) -> list[tuple[Cursor, bytes]]:
        """Return an account's first payloads after ``cursor``, as ``Ring.following``."""
        ring = self._rings.get(key)
        return [] if ring is None else ring.following(cursor, most_bytes)

    def last(self, key: str, count: int) -> list[bytes]:
        """Return the last ``count`` payloads of an account, the newest one last."""
        ring = self._rings.get(key)
        return [] if ring is None else ring.last(count)

    def reaches(self, key: str, cursor: Cursor) -> bool:
        """Return whether the ring has every payload after ``cursor``."""
        floor = self.floor(key)
        return floor is not None and floor <= cursor

    def newest(self, key: str) -> Cursor | None:
        """Return the cursor of an account's newest payload, or ``None``."""
        ring = self._rings.get(key)
        return None if ring is None else ring.newest

    def floor(self, key: str) -> Cursor | None:
        """Return the cursor after which the ring has every payload; ``None``: none has come."""
        ring = self._rings.get(key)
        return None if ring is None else ring.floor

    def oldest(self, key: str) -> Cursor | None:
        """Return the cursor of the oldest payload of an account."""
        ring = self._rings.get(key)
        return None if ring is None else ring.oldest

    def remove(self, key: str) -> None:
        """Remove the ring of an account."""
        if self._rings.pop(key, None) is not None:
            self._divide()

    def _divide(self) -> None:
        """Divide the budget among the rings that there are now."""
        share = self._total_bytes // max(1, len(self._rings))
        self._share = min(self._most_bytes, share)

    @property
    def size_bytes(self) -> int:
        """The bytes of all payloads in the rings."""
        return sum(ring.size_bytes for ring in self._rings.values())
