"""A command on a terminal: a test types to it and reads its screen."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import termios
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.commandline import PROGRAM, environment
from tests.support.until import PATIENCE


class Screen:
    """The screen and the keyboard of a command's terminal."""

    def __init__(self, process: Process, fd: int) -> None:
        self.process = process
        self.text = ""
        self._fd = fd
        self._seen = 0
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(fd, self._read)

    def _read(self) -> None:
        try:
            found = os.read(self._fd, 65_536)
        except OSError:  # nobody has the terminal any more
            found = b""
        if not found:
            asyncio.get_running_loop().remove_reader(self._fd)
        self.text += found.decode(errors="replace")
        self._more.set()

    async def shows(self, words: str) -> str:
        """Wait until new output contains words; return the output until then."""
        async with asyncio.timeout(PATIENCE):
            while words not in self.text[self._seen :]:
                self._more.clear()
                await self._more.wait()
        begin = self._seen
        self._seen = self.text.index(words, begin) + len(words)
        return self.text[begin : self._seen]

    def types(self, text: str) -> None:
        """Type text; ``\\x03`` is Ctrl-C."""
        os.write(self._fd, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Resize the terminal; the command is notified."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def ends(self) -> int:
        """Wait for the end of the command and return its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


def _own_terminal(fd: int) -> None:
    """Give the command the terminal, so that Ctrl-C reaches it."""
    os.setsid()
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


@asynccontextmanager
async def on_terminal(
    state: Path, *args: str, columns: int = 110, rows: int = 40, **env: str
) -> AsyncIterator[Screen]:
    """Run a command on a terminal of its own; it is killed if it still runs at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *args,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(state, TERM="xterm-256color", **env),
        preexec_fn=lambda: _own_terminal(theirs),
    )
    os.close(theirs)
    screen = Screen(process, ours)
    try:
        yield screen
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
