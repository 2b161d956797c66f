"""The last log lines of all processes as one stream with a cursor, for who asks from afar.

A cursor is an offset in bytes from the start of the supervisor, in a file that nobody wrote:
reading on costs neither the disk nor a search. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEEP_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines from a cursor on. ``cursor`` is where to go on; ``skipped_bytes`` lie between what
    was asked for and the first line; ``reset`` says that the cursor was of another stream.
    """

    lines: list[str] = field(default_factory=list)
    cursor: int = 0
    size: int = 0
    truncated: bool = False
    reset: bool = False
    skipped_bytes: int = 0


class Recent:
    """Keeps ``keep_bytes`` of lines. ``size`` counts all bytes there have ever been."""

    def __init__(self, keep_bytes: int = KEEP_BYTES) -> None:
        self.size = 0
        self._keep_bytes = keep_bytes
        self._lines: deque[tuple[int, str]] = deque()  # where it begins, and the line
        self._start = 0

    def add(self, line: str) -> None:
        """Take one line; the oldest go."""
        self._lines.append((self.size, line))
        self.size += cost(line)
        while self.size - self._start > self._keep_bytes and len(self._lines) > 1:
            self._lines.popleft()
            self._start = self._lines[0][0]

    def after(self, cursor: int, limit: int, max_bytes: int) -> Stretch:
        """Return at most ``limit`` of the newest lines at or after ``cursor``, of at most
        ``max_bytes`` together with their line ends: none where the newest is longer.
        """
        reset = cursor > self.size
        wanted = 0 if reset else cursor
        found: deque[str] = deque()
        begin, room = self.size, max_bytes
        for start, line in reversed(self._lines):
            room -= cost(line)
            if start < wanted or len(found) >= limit or room < 0:
                break
            found.appendleft(line)
            begin = start
        skipped = max(0, begin - wanted)
        return Stretch(list(found), self.size, self.size, skipped > 0, reset, skipped)


def cost(line: str) -> int:
    """Return the bytes of a line and its end."""
    return len(line.encode()) + 1
