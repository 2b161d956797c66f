"""A real chat server for the soak's ``irc`` accounts, and a visitor who talks on it in numbers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict

from bench.soak.numbers import Sequence
from bench.soak.ports import quiet_port
from tests.support.irc_server import IrcServer, RawClient, available, ngircd

ROOM = "#soak"
SECONDS = 1.0  # between two lines of the visitor
RETRY = 0.2  # seconds


class Chat:
    """ngircd on a port of its own, and one visitor in the room ``#soak``.

    The visitor counts what the accounts say: ``reordered`` and ``twice``.
    """

    def __init__(self) -> None:
        self.port = quiet_port()
        self.counts: Counter[str] = Counter()
        self._stack = contextlib.ExitStack()
        self._server: IrcServer | None = None
        self._heard: defaultdict[str, Sequence] = defaultdict(Sequence)
        self._number = 0

    @staticmethod
    def available() -> bool:
        """Return whether there is a server here."""
        return available("ngircd")

    async def start(self) -> None:
        """Start the server; again where it does not listen: one that was killed may leave a child
        that holds the port for a while.
        """
        for last in (False, False, True):
            try:
                server = ngircd(port=self.port)
                self._server = await asyncio.to_thread(self._stack.enter_context, server)
            except RuntimeError:
                if last:
                    raise
            else:
                return

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._server is not None:
            self._server.kill()
        self._server = None
        self._stack.close()

    async def visit(self) -> None:
        """Talk and listen until cancelled; join again whenever the server has gone."""
        while True:
            server = self._server
            if server is not None:
                with contextlib.suppress(OSError, ValueError, IndexError, TimeoutError):
                    client = await RawClient.connect(server, "visitor", ROOM)
                    await self._talk(client)
            await asyncio.sleep(RETRY)

    async def _talk(self, client: RawClient) -> None:
        listening = asyncio.create_task(self._listen(client))
        try:
            while not listening.done():
                self._number += 1
                client.say(ROOM, f"in {self._number}")
                await asyncio.wait([listening], timeout=SECONDS)
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await listening
            await client.close()

    async def _listen(self, client: RawClient) -> None:
        while True:
            line = await client.expect("PRIVMSG", timeout=3600)
            client.lines.clear()
            nick = line[1:].partition("!")[0]
            text = line.partition(f"{ROOM} :")[2]
            if text.startswith("out "):
                found = self._heard[nick].take((0, int(text[4:])))
                self.counts[{"new": "heard", "late": "reordered", "again": "twice"}[found]] += 1
