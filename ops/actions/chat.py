"""A person's side of the local channel: lines from standard input, answers to the screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.actions.wait import Vigil
from ops.connect import supervisor as clients
from ops.connect.selection import split
from ops.exits import Exit, OperatorError
from ops.output.stdout import show_json_line
from ops.output.text import clean

if TYPE_CHECKING:
    from runtime.config.places import Places

CHANNEL = "local"
MAX_LINE = 1024 * 1024  # bytes of one answer
BACK_WITHIN = 24 * 3600.0  # seconds; a person at a terminal ends it with Ctrl-C


class Chat:
    """One conversation. Without a terminal it ends by itself once everything is answered."""

    def __init__(
        self,
        places: Places,
        key: str,
        *,
        nick: str | None = None,
        message: str | None = None,
        timeout: float = 10.0,
        as_json: bool = False,
    ) -> None:
        self._places = places
        self._key = key
        self._nick = nick
        self._timeout = timeout
        self._json = as_json
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()
        self._message = message
        self._live = message is None and sys.stdin.isatty()
        self._owed = 0
        self._heard = asyncio.Condition()

    async def run(self) -> None:
        """Talk until the person has no more to say."""
        incarnation = await self._find()
        self._listen()
        while True:
            if await self._talk():
                return
            self._tell(f"({self._key} hung up; waiting until it is back, Ctrl-C ends)")
            incarnation = await self._back(incarnation)

    async def _find(self) -> int:
        """Return the incarnation that is to be talked to; say why when that cannot be."""
        async with clients.supervisor(self._places) as client:
            told = await client.call("channels.describe", {"account": self._key})
        if split(self._key)[0] != CHANNEL:
            raise OperatorError(
                f"chat is for accounts of the channel {CHANNEL}; to speak as {self._key} use"
                f" `trunkline message send --account {self._key}`"
            )
        status: dict[str, Any] = told["status"]
        if status["phase"] != "running":
            raise OperatorError(f"{self._key} is {status['phase']}: {told['why']}; {told['next']}")
        return int(status["incarnation"])

    async def _back(self, incarnation: int) -> int:
        """Wait until a later incarnation runs."""
        vigil = Vigil("running")
        vigil.beyond[self._key] = incarnation
        async with vigil.over(self._places, None, None) as runtime:
            rows = await vigil.until(runtime, [self._key], BACK_WITHIN)
        return int(rows[0]["incarnation"])

    async def _talk(self) -> bool:
        """Talk over one connection; return whether the person is done, not the account."""
        path = _socket(self._places, self._key)
        try:
            reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE)
        except OSError as error:
            raise OperatorError(f"{path}: {error.strerror}") from None
        hearing = asyncio.create_task(self._hear(reader))
        saying = asyncio.create_task(self._say(writer))
        try:
            if self._live:
                self._tell(f"talking to {self._key}; a line is a message, Ctrl-D ends")
            await asyncio.wait({hearing, saying}, return_when=asyncio.FIRST_COMPLETED)
            if saying.done():
                saying.result()
                return True
            hearing.result()
            if self._live:
                return False
            raise OperatorError(f"{self._key} hung up")
        finally:
            for task in (hearing, saying):
                task.cancel()
            await asyncio.wait({hearing, saying})
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter) -> None:
        if self._nick:
            await self._send(writer, f"/nick {self._nick}")
        while (line := await self._typed.get()) is not None:
            if line:
                await self._send(writer, line)
        if self._live:
            return
        try:
            async with asyncio.timeout(self._timeout), self._heard:
                await self._heard.wait_for(lambda: self._owed <= 0)
        except TimeoutError:
            raise OperatorError(
                f"no answer from {self._key} within {self._timeout:g} s", Exit.TIMEOUT
            ) from None

    async def _send(self, writer: asyncio.StreamWriter, line: str) -> None:
        self._owed += 1
        writer.write(line.encode("utf-8", "surrogateescape") + b"\n")
        await writer.drain()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        self._owed += len(_greeting(self._places, self._key))
        while line := await reader.readline():
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if self._json:
                show_json_line({"account": self._key, "text": text})
            else:
                self._tell(clean(text))
            async with self._heard:
                self._owed -= 1
                self._heard.notify_all()

    def _tell(self, text: str) -> None:
        if not self._json:
            print(text, flush=True)

    def _listen(self) -> None:
        """Read standard input, whatever it is, without ever holding up the loop or the exit."""
        if self._message is not None:
            self._typed.put_nowait(self._message)
            self._typed.put_nowait(None)
            return
        loop = asyncio.get_running_loop()

        def read() -> None:
            rest = b""
            while chunk := os.read(0, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    tell(line.decode("utf-8", "surrogateescape"))
            if rest:
                tell(rest.decode("utf-8", "surrogateescape"))
            tell(None)

        def tell(line: str | None) -> None:
            with contextlib.suppress(RuntimeError):  # the conversation is over
                loop.call_soon_threadsafe(self._typed.put_nowait, line)

        threading.Thread(target=read, daemon=True, name="stdin").start()


def _socket(places: Places, key: str) -> Path:
    from workers.channels.local.plugin import socket_path

    return socket_path(places.run_dir, split(key)[1])


def _greeting(places: Places, key: str) -> list[str]:
    """Return the lines that the account says by itself to whoever connects."""
    from ops.connect.target import loaded
    from runtime.config.errors import ConfigError

    try:
        spec = loaded(places).accounts.get(key)
    except (ConfigError, OperatorError):
        return []
    return str(spec.config.get("greeting") or "").splitlines() if spec else []
