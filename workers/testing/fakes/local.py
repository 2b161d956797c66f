"""Plays a person at the socket of a ``local`` account."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workers.testing.fake import Fake, FakePlace
from workers.testing.loop_thread import PAUSE

NAME = "ada"


class LocalFake(Fake):
    """One person, who reconnects whenever the account is up again."""

    to = NAME

    def __init__(self) -> None:
        self._path = Path()
        self._lines: list[str] = []
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._numbers = itertools.count(1)

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Remember where the account listens; there is nothing to serve."""
        self._path = place.run_dir / f"local-{place.account_id}.sock"
        return {}

    async def close(self) -> None:
        """Hang up."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
        if self._writer is not None:
            self._writer.transport.abort()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def meet(self) -> None:
        """Connect, under the one name."""
        if self._writer is not None and self._reading is not None and not self._reading.done():
            return
        await self.close()
        reader, self._writer = await asyncio.open_unix_connection(self._path, limit=1 << 20)
        self._writer.write(f"/nick {NAME}\n".encode())
        while (line := await reader.readline()) != f"you are {NAME}\n".encode():
            if not line:
                raise ConnectionError("the account hung up")
            self._lines.append(line.decode().removesuffix("\n"))  # its greeting
        self._reading = asyncio.create_task(self._read(reader))

    async def say(self, text: str) -> None:
        """Type a line; wait for the account where it is just being started."""
        while self._writer is None or self._reading is None or self._reading.done():
            with suppress(OSError):
                await self.meet()
                break
            await asyncio.sleep(PAUSE)
        assert self._writer is not None
        self._writer.write(text.encode() + b"\n")
        with suppress(ConnectionError):
            await self._writer.drain()

    def heard(self) -> Sequence[str]:
        """Return the lines that were printed."""
        return self._lines

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                self._lines.append(line.decode().removesuffix("\n"))
