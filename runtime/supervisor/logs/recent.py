"""Keeps the last log lines of all processes as one stream with a cursor. Pure.

It serves clients that read the log over the network. A cursor is an offset in bytes since the start
of the supervisor, so reading on needs neither the disk nor a search. All lines are in one buffer of
fixed size: as objects, short lines would take twice their size, and long ones would fragment the
heap. It is mapped, not allocated: a page that no line has reached takes no memory.
"""

from __future__ import annotations

import mmap
from typing import Any

import msgspec

KEEP_BYTES = 1024 * 1024


class Stretch(msgspec.Struct, frozen=True):
    """A range of lines, from a cursor on.

    ``cursor`` is where to continue; ``skipped_bytes`` are between the requested cursor and the
    first line; ``reset``: the requested cursor was of another stream.
    """

    lines: list[str] = msgspec.field(default_factory=list)
    cursor: int = 0
    size: int = 0
    truncated: bool = False
    reset: bool = False
    skipped_bytes: int = 0


class RecentLog:
    """Keeps the last ``keep_bytes`` of lines. ``size`` counts all bytes ever added.

    ``since`` is the timestamp from which all lines are here; older ones are only in the files.
    """

    def __init__(self, since: str = "", keep_bytes: int = KEEP_BYTES) -> None:
        self.size = 0
        self.since = since
        self._start = 0  # where the oldest line begins
        self._keep_bytes = keep_bytes
        # Byte n of the stream is at n modulo its length.
        self._data = mmap.mmap(-1, keep_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def add_line(self, name: str, line: dict[str, Any]) -> None:
        """Append a line of the log ``name`` as JSON text."""
        self._append(msgspec.json.encode(line, enc_hook=str))

    def add(self, line: str) -> None:
        """Append one line, without a line end in it, and drop the oldest ones."""
        self._append(line.encode())

    def after(self, cursor: int, limit: int, max_bytes: int) -> Stretch:
        """Return the newest lines at or after ``cursor``.

        At most ``limit`` lines of ``max_bytes`` together with their line ends: none where the
        newest is longer.
        """
        reset = cursor > self.size
        wanted = 0 if reset else cursor
        begin = self._line_at(max(wanted, self._start, self.size - max_bytes))
        lines = self._bytes(begin, self.size).split(b"\n")[:-1]
        found = lines[max(0, len(lines) - limit) :]
        begin = self.size - sum(len(line) + 1 for line in found)
        skipped = max(0, begin - wanted)
        texts = [line.decode(errors="replace") for line in found]
        return Stretch(texts, self.size, self.size, skipped > 0, reset, skipped)

    def _append(self, line: bytes) -> None:
        """Append one line and drop the oldest ones; a line longer than the buffer is not kept."""
        data, at = line + b"\n", self.size
        self.size += len(data)
        if len(data) > self._keep_bytes:
            self._start = self.size
            return
        if self.size - self._start > self._keep_bytes:
            self._start = self._line_at(self.size - self._keep_bytes, end=at)
        at %= self._keep_bytes
        first = data[: self._keep_bytes - at]
        self._data[at : at + len(first)] = first
        self._data[: len(data) - len(first)] = data[len(first) :]

    def _line_at(self, offset: int, end: int | None = None) -> int:
        """Return the offset of the first line at or after ``offset``; ``end`` if there is none."""
        end = self.size if end is None else end
        if offset <= self._start:
            return self._start
        if offset > end:
            return end
        found = self._find_end(offset - 1, end)
        return end if found is None else found + 1

    def _find_end(self, start: int, end: int) -> int | None:
        """Return the offset of the next line end, if there is one."""
        keep = self._keep_bytes
        while start < end:
            at = start % keep
            stop = min(keep, at + end - start)
            found = self._data.find(b"\n", at, stop)
            if found >= 0:
                return start + found - at
            start += stop - at
        return None

    def _bytes(self, start: int, end: int) -> bytes:
        """Return a part of the stream that is in the buffer."""
        keep, size = self._keep_bytes, end - start
        at = start % keep
        first = bytes(memoryview(self._data)[at : at + size])
        return first + bytes(memoryview(self._data)[: size - len(first)])


def line_bytes(line: str) -> int:
    """Return the size of a line and its end in bytes."""
    return len(line.encode()) + 1
