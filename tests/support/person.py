"""A person who talks to a ``local`` account and reads its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.daemon import Daemon
from tests.support.until import PATIENCE


class Person:
    """One conversation; the echo agent answers each line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def is_answered(self, text: str) -> None:
        """Send ``text`` and wait for its echo: nothing may be lost or swapped."""
        self._writer.write(f"{text}\n".encode())
        async with asyncio.timeout(PATIENCE):
            assert await self._reader.readline() == f"echo: {text}\n".encode()

    def says(self, *lines: str) -> None:
        """Send lines without waiting."""
        self._writer.write("".join(f"{line}\n" for line in lines).encode())

    async def drain(self) -> None:
        """Wait until the account has taken most of what was sent."""
        await self._writer.drain()

    async def hears(self, count: int) -> list[str]:
        """Return the next lines that the account sends."""
        async with asyncio.timeout(PATIENCE):
            return [(await self._reader.readline()).decode().strip() for _ in range(count)]


@asynccontextmanager
async def talking(daemon: Daemon, account: str) -> AsyncIterator[Person]:
    """Connect to ``local:account``, which must be running."""
    reader, writer = await asyncio.open_unix_connection(daemon.run_dir / f"local-{account}.sock")
    try:
        yield Person(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
