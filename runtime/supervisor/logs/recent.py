"""Keeps the last log lines of all processes as one stream with a cursor. Pure.

For clients that read the log over the network. A cursor is an offset in bytes since the start
of the supervisor, as in a file that was never written: reading on costs neither the disk nor a
search.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

KEEP_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines from a cursor on.

    ``cursor`` is where to go on; ``skipped_bytes`` lie between the cursor that was asked for and
    the first line; ``reset``: the cursor was of another stream.
    """

    lines: list[str] = field(default_factory=list)
    cursor: int = 0
    size: int = 0
    truncated: bool = False
    reset: bool = False
    skipped_bytes: int = 0


class RecentLog:
    """Keeps ``keep_bytes`` of lines. ``size`` counts all bytes there have ever been.

    ``since`` is the timestamp from which on all lines are here; older ones are in the files.
    """

    def __init__(self, since: str = "", keep_bytes: int = KEEP_BYTES) -> None:
        self.size = 0
        self.since = since
        self._keep_bytes = keep_bytes
        self._lines: deque[tuple[int, str]] = deque()  # offset and line
        self._start = 0

    def keep(self, name: str, line: dict[str, Any]) -> None:
        """Append a line of the log ``name`` as JSON text."""
        self.add(msgspec.json.encode(line, enc_hook=str).decode(errors="replace"))

    def add(self, line: str) -> None:
        """Append one line and drop the oldest ones."""
        self._lines.append((self.size, line))
        self.size += line_bytes(line)
        while self.size - self._start > self._keep_bytes and len(self._lines) > 1:
            self._lines.popleft()
            self._start = self._lines[0][0]

    def after(self, cursor: int, limit: int, max_bytes: int) -> Stretch:
        """Return the newest lines at or after ``cursor``.

        At most ``limit`` lines of ``max_bytes`` together with their line ends: none where the
        newest is longer.
        """
        reset = cursor > self.size
        wanted = 0 if reset else cursor
        found: deque[str] = deque()
        begin, room = self.size, max_bytes
        for start, line in reversed(self._lines):
            room -= line_bytes(line)
            if start < wanted or len(found) >= limit or room < 0:
                break
            found.appendleft(line)
            begin = start
        skipped = max(0, begin - wanted)
        return Stretch(list(found), self.size, self.size, skipped > 0, reset, skipped)


def line_bytes(line: str) -> int:
    """Return the size of a line and its end in bytes."""
    return len(line.encode()) + 1
