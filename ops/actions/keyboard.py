"""Reads lines from the terminal without blocking the loop, and without echo for secrets."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 65_536


class Keyboard:
    """Reads lines of standard input, or of another descriptor; the end of file is ``None``."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = _standard_input() if fd is None else fd
        self._typed = b""

    async def line(self, *, secret: bool = False, prompt: str = "") -> str | None:
        """Return the next line without its line end; a ``secret`` one is not echoed.

        ``prompt`` is printed only once echo is off, so that early typing is not shown either.
        """
        with self._hidden(secret):
            if prompt:
                print(prompt, end="", flush=True)
            while b"\n" not in self._typed:
                await self._readable()
                chunk = os.read(self._fd, CHUNK)
                if not chunk:
                    rest, self._typed = self._typed, b""
                    return rest.decode(errors="replace") if rest else None
                self._typed += chunk
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def on_ready() -> None:
            if not ready.done():
                ready.set_result(None)

        try:
            loop.add_reader(self._fd, on_ready)
        except PermissionError:  # a file: it is always readable
            return
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)

    @contextmanager
    def _hidden(self, secret: bool) -> Iterator[None]:
        """Turn the terminal's echo off for the block; restore its settings in any case."""
        if not secret or not os.isatty(self._fd):
            yield
            return
        before = termios.tcgetattr(self._fd)
        hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(self._fd, termios.TCSAFLUSH, hidden)
        try:
            yield
        finally:
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, before)
            os.write(sys.stderr.fileno(), b"\n")  # the one that was not shown


def _standard_input() -> int:
    """Return the descriptor of standard input, even if ``sys.stdin`` has none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError):  # io.UnsupportedOperation is one
        return 0
