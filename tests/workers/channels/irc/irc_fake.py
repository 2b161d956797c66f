"""Be a real IRC server with a person in a room, for the testing kit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from tests.support import irc_server
from tests.support.irc_server import HOST, IrcServer, RawClient
from workers.testing.fake import Fake, FakePlace
from workers.testing.faults import Fault, FaultKind
from workers.testing.ports import free_port

NICK, ROOM, PASSWORD = "tester", "#room", "sesame-of-the-server"
Start = Callable[..., AbstractContextManager[IrcServer]]


class IrcFake(Fake):
    """A server of another program, and ``ada``, who is in the account's room."""

    faults: frozenset[FaultKind] = frozenset({"unauthorized", "outage", "half_open"})
    to = ROOM

    def __init__(self, start: Start = irc_server.miniircd) -> None:
        self.turned_away = 0  # a server that is not there counts nobody
        self._start_server = start
        self._port = free_port()
        self._running: AbstractContextManager[IrcServer] | None = None
        self._server: IrcServer | None = None
        self._wrong = self._frozen = False
        self._ada: RawClient | None = None
        self._reading: asyncio.Task[None] | None = None
        self._seen: list[str] = []
        self._there = asyncio.Event()  # the account is in the room

    async def start(self, place: FakePlace) -> Mapping[str, Any]:
        """Start the server."""
        await self._serve(PASSWORD)
        return {
            "server": HOST,
            "port": self._port,
            "tls": False,
            "nick": NICK,
            "password": PASSWORD,
            "channels": [ROOM],
            "floodBurst": 100,
            "floodRate": 100,
            "maxLines": 100,
            "pingSeconds": 2,
            "pingTimeoutSeconds": 2,
        }

    async def close(self) -> None:
        """End the person and the server."""
        await self._leave()
        running, self._running = self._running, None
        if running is not None:
            await asyncio.to_thread(running.__exit__, None, None, None)

    async def meet(self) -> None:
        """Be in the room, and see the account there."""
        if self._reading is None or self._reading.done():
            await self._leave()
            self._reading = asyncio.create_task(self._be_there())
        await self._there.wait()

    async def say(self, text: str) -> None:
        """Say it in the room, once the account is there."""
        await self.meet()
        assert self._ada is not None
        self._ada.say(ROOM, text)

    def heard(self) -> Sequence[str]:
        """Return what the account has said in the room, line by line."""
        return self._seen

    async def fail(self, fault: Fault) -> None:
        """Let the server be gone, not know the password, or stand still."""
        if fault.kind == "half_open":
            assert self._server is not None
            self._server.pause()
            self._frozen = True
            return
        self._wrong = True
        await self.close()
        if fault.kind == "unauthorized":
            await self._serve("another-password")

    async def heal(self) -> None:
        """Let the server be as it was."""
        if self._frozen and self._server is not None:
            self._server.resume()
            self._frozen = False
            await self._leave()
        if self._wrong:
            await self.close()
            await self._serve(PASSWORD)
            self._wrong = False

    async def _serve(self, password: str) -> None:
        self._running = self._start_server(password=password, port=self._port)
        self._server = await asyncio.to_thread(self._running.__enter__)

    async def _leave(self) -> None:
        self._there.clear()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
        ada, self._ada = self._ada, None
        if ada is not None:
            await ada.close()

    async def _be_there(self) -> None:
        ada = self._ada = RawClient("ada", *await asyncio.open_connection(HOST, self._port))
        ada.send(f"PASS {PASSWORD}", "NICK ada", "USER ada 0 * :ada", f"JOIN {ROOM}")
        with suppress(ConnectionError):
            while True:
                self._take(await ada.expect(lambda line: True, timeout=3600))

    def _take(self, line: str) -> None:
        words = line.split()
        who = words[0].removeprefix(":").partition("!")[0]
        if (words[1] == "353" and NICK in line.rpartition(":")[2].replace("@", "").split()) or (
            who == NICK and words[1] == "JOIN"
        ):
            self._there.set()
        elif who == NICK and words[1] in ("QUIT", "PART"):
            self._there.clear()
        elif who == NICK and words[1] == "PRIVMSG" and words[2] == ROOM:
            self._seen.append(line.partition(f"PRIVMSG {ROOM} :")[2])
