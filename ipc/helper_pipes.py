"""Connects the pipes of a helper program with the event loop, and logs its stderr."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from ipc.helpers import AT_ONCE, Helper

LOGGED_BYTES = 64 * 1024  # of one program, or of one period
LINE_BYTES = 16 * 1024  # a longer line is left out: a part of it could show half a secret
LEAST_BYTES = 64  # what a line counts for at least: a short one takes as long to log


async def connect_pipes(
    process: Helper,
    output: asyncio.StreamReader,
    errors: asyncio.StreamReader,
    opened: list[asyncio.BaseTransport],
) -> asyncio.StreamWriter:
    """Feed stdout and stderr to two readers; return a writer to stdin.

    Each transport is appended to ``opened`` at once, so that it can be closed if a later one fails.
    """
    loop = asyncio.get_running_loop()
    for reader, pipe in ((output, process.stdout), (errors, process.stderr)):
        protocol = partial(asyncio.StreamReaderProtocol, reader)
        opened.append((await loop.connect_read_pipe(protocol, pipe))[0])
    flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: flow, process.stdin)
    opened.append(transport)
    return asyncio.StreamWriter(transport, flow, None, loop)


class StderrLog:
    """The lines that a program writes to its stderr, logged up to a limit; the rest is counted.

    All of it is read as fast as it comes, since a program whose pipe is full stands still: beyond
    the limit a line costs nothing. With ``seconds`` the limit is for each such period.
    """

    def __init__(self, log: Any, name: str, seconds: float | None = None) -> None:
        self._log = log
        self._name = name
        self._seconds = seconds
        self._left = LOGGED_BYTES
        self._begun = b""  # a line that has not ended
        self._end = b""  # of all that was written
        self._skipping = False  # inside a line that is left out
        self._left_out = [0, 0]  # lines and bytes
        self._renewal: asyncio.TimerHandle | None = None

    async def read(self, errors: asyncio.StreamReader) -> None:
        """Log what comes until its end, or until cancelled."""
        try:
            while piece := await errors.read(AT_ONCE):
                self._add(piece)
        finally:
            if self._begun:
                self._on_line(self._begun)
            if self._renewal is not None:
                self._renewal.cancel()
            self._report()

    @property
    def last_words(self) -> str:
        """The last line that is not blank, among the last ``LINE_BYTES`` that were written."""
        lines = self._end.split(b"\n")
        if len(self._end) > LINE_BYTES:
            del lines[0]  # cut
        return next((text.lstrip() for line in reversed(lines) if (text := _text(line))), "")

    def _add(self, piece: bytes) -> None:
        self._end = (self._end + piece)[-LINE_BYTES - 1 :]
        data, start = self._begun + piece, 0
        self._begun = b""
        while self._left and (stop := data.find(b"\n", start)) >= 0:
            self._on_line(data[start:stop])
            start = stop + 1
        rest = data[start:]
        if self._left and not self._skipping and len(rest) <= LINE_BYTES:
            self._begun = rest
        elif rest:
            self._omit(rest)

    def _on_line(self, line: bytes) -> None:
        if self._skipping or len(line) > LINE_BYTES:
            self._omit(line + b"\n")
        elif text := _text(line):
            cost = max(len(line), LEAST_BYTES)
            if cost > self._left:
                self._left = 0
                self._omit(line + b"\n")
                return
            self._left -= cost
            self._log.info(text, child=self._name)
            if self._seconds is not None and self._renewal is None:
                loop = asyncio.get_running_loop()
                self._renewal = loop.call_later(self._seconds, self._renew)

    def _omit(self, data: bytes) -> None:
        inside = not data.endswith(b"\n")
        # The line that it may begin with was counted when its first part came.
        self._left_out[0] += data.count(b"\n") + inside - self._skipping
        self._left_out[1] += len(data)
        self._skipping = inside

    def _renew(self) -> None:
        self._renewal = None
        self._left = LOGGED_BYTES
        self._report()

    def _report(self) -> None:
        lines, size = self._left_out
        if lines:
            self._left_out = [0, 0]
            text = "the program wrote more to stderr than is logged"
            self._log.warning(text, child=self._name, lines=lines, bytes=size)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").replace("\0", "").rstrip()
