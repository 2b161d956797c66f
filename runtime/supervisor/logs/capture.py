"""Captures the output of a child, line by line and within a rate limit.

The output of a worker that prints without end is read, counted and dropped; it never blocks the
worker and does not affect others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ipc.token_bucket import TokenBucket
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs.folding import Folding
from runtime.supervisor.logs.line import LINE_BYTES, Line, read_line, timestamp

READ_BYTES = 64 * 1024  # as much as a pipe holds, pipe(7)
# Lines that are checked for each that may be kept: the rest is the same again, or too much.
CHECKS_PER_LINE = 20
# What is dropped is read no faster than this, of each child: a bomb without any limit of its own
# then waits for milliseconds, instead of taking a whole core of ours.
DROP_BYTES_PER_SECOND = 150e6
PAUSE = 0.005  # seconds

LineFilter = Callable[[Line], Line | None]

_LINE_END = ord("\n")
_scrap = bytearray(READ_BYTES)  # where what is dropped goes


class LineCapture:
    """Reads both output streams of one child, cut into lines within the rate limit.

    ``add(name, line)`` gets each line that is kept, ``on_end(capture)`` is called when both pipes
    have ended. ``filter_line`` may change a line before it is kept, or return ``None`` to drop it.
    ``dropped`` counts the lines that are not kept completely.
    """

    def __init__(
        self,
        name: str,
        incarnation: int,
        fds: tuple[int, int],
        config: LoggingConfig,
        *,
        add: Callable[[str, Line], None],
        on_end: Callable[[LineCapture], None],
        filter_line: LineFilter | None = None,
    ) -> None:
        self.dropped = 0
        self.name = name
        self._add = add
        self._on_end = on_end
        self._filter_line = filter_line
        self._incarnation = incarnation
        self.limit(config)
        self._drops = TokenBucket(DROP_BYTES_PER_SECOND * PAUSE, DROP_BYTES_PER_SECOND)
        self._parts: dict[int, bytearray] = {}
        self._folds = {fd: Folding() for fd in fds}
        self._streams = dict(zip(fds, ("stdout", "stderr"), strict=True))
        self._skipping: set[int] = set()  # streams inside a line that was cut or dropped
        for fd in fds:
            self._parts[fd] = bytearray()
            asyncio.get_running_loop().add_reader(fd, self._on_readable, fd)

    def limit(self, config: LoggingConfig) -> None:
        """Set how many lines and bytes per second are kept."""
        self._lines = TokenBucket(config.burst_lines, config.lines_per_second)
        self._bytes = TokenBucket(2 * config.bytes_per_second, config.bytes_per_second)
        checks = CHECKS_PER_LINE
        self._checks = TokenBucket(checks * config.burst_lines, checks * config.lines_per_second)

    def close(self) -> None:
        """Read the remaining content of the pipes, then close both."""
        for fd in list(self._streams):
            self._on_readable(fd)
            self._close(fd)

    def drain(self) -> None:
        """Read the present content of the pipes: the last lines, before an exit is classified."""
        for fd in list(self._streams):
            self._on_readable(fd)

    def _on_readable(self, fd: int) -> None:
        """Read once; the loop calls again while there is more, after serving others."""
        if fd not in self._streams:
            return
        try:
            count = os.readv(fd, [_scrap])
        except BlockingIOError:
            return
        except OSError:
            count = 0
        loop = asyncio.get_running_loop()
        if count == 0:
            self._close(fd)
        elif self._bytes.reserve(loop.time(), count):
            self._split(fd, bytes(memoryview(_scrap)[:count]))
        else:
            # A log bomb: only counted. The allowance fills again while it is dropped.
            self._drop(fd, _scrap.count(b"\n", 0, count), _scrap[count - 1] != _LINE_END)
            if not self._drops.reserve(loop.time(), count):
                self._pause(fd)

    def _drop(self, fd: int, line_ends: int, inside: bool) -> None:
        """Count dropped output; ``inside``: it ends inside a line, whose rest is skipped."""
        self.dropped += line_ends + inside - (fd in self._skipping)  # that one was counted
        self._parts[fd].clear()
        (self._skipping.add if inside else self._skipping.discard)(fd)

    def _pause(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.call_later(PAUSE, self._resume, fd)

    def _resume(self, fd: int) -> None:
        if fd in self._streams:
            asyncio.get_running_loop().add_reader(fd, self._on_readable, fd)

    def _split(self, fd: int, data: bytes) -> None:
        part = self._parts[fd]
        lines = data.count(b"\n")
        checks = self._checks.reserve_up_to(asyncio.get_running_loop().time(), lines)
        *whole, rest = data.split(b"\n", checks)
        for piece in whole:
            if fd in self._skipping:
                self._skipping.discard(fd)
            else:
                self._on_line(fd, bytes(part) + piece)
            part.clear()
        if checks < lines:
            self._drop(fd, lines - checks, not rest.endswith(b"\n"))
        elif fd not in self._skipping:
            part += rest
            if len(part) > LINE_BYTES:
                self._on_line(fd, bytes(part))
                part.clear()
                self._skipping.add(fd)

    def _on_line(self, fd: int, raw: bytes) -> None:
        now = asyncio.get_running_loop().time()
        repeats, news = self._folds[fd].fold(raw, now)
        if repeats:
            self._add_repeats(fd, repeats)
        if not news:
            return
        if not self._lines.reserve(now, 1):
            self.dropped += 1
            return
        line = read_line(raw[:LINE_BYTES])
        if len(raw) > LINE_BYTES:
            line["cut"] = True
            self.dropped += 1
        self._add_line(fd, line)

    def _add_repeats(self, fd: int, repeats: int) -> None:
        times = "once more" if repeats == 1 else f"{repeats} times more"
        self._add_line(fd, {"ts": timestamp(), "text": f"(the same {times})", "repeated": repeats})

    def _add_line(self, fd: int, line: Line) -> None:
        line |= {"account": self.name, "incarnation": self._incarnation}
        line["stream"] = self._streams[fd]
        kept = line if self._filter_line is None else self._filter_line(line)
        if kept is not None:
            self._add(self.name, kept)

    def _close(self, fd: int) -> None:
        if fd not in self._streams:
            return
        asyncio.get_running_loop().remove_reader(fd)
        if self._parts[fd]:
            self._on_line(fd, bytes(self._parts.pop(fd)))
        if repeats := self._folds[fd].repeats:
            self._add_repeats(fd, repeats)
        os.close(fd)
        del self._streams[fd]
        if not self._streams:
            self._on_end(self)
