"""Serves the gateway of a fake Discord: sessions that begin, resume, break and expire.

A session keeps what it has sent, and what happens while it has no connection; one that resumes it
is sent what came after the number that it names.
"""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from ipc.nesting import decode_json
from workers.testing.fakes.discord_objects import Json

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
MESSAGE_CONTENT = 1 << 15

_sessions = itertools.count(1)


@dataclass(slots=True)
class GatewayBot:
    """What the gateway knows of a bot, and counts of it.

    ``heard`` holds the frames that came. ``remaining``: how many sessions may still be begun.
    ``content_off``: the privileged intent is switched off. ``twice``: each event is sent twice.
    """

    id: str
    session: FakeSession | None = None
    heard: list[Json] = field(default_factory=list)
    identified: int = 0
    resumed: int = 0
    closes: list[int | None] = field(default_factory=list)  # the codes of the client
    remaining: int = 1000
    content_off: bool = False
    revoked: bool = False
    twice: bool = False


class FakeSession:
    """A session of a bot, with a connection or without."""

    def __init__(self) -> None:
        self.id = f"session{next(_sessions)}"
        self.sent: list[Json] = []
        self.valid = True
        self.connection: ClientConnection | None = None

    def append(self, name: str, data: Json) -> Json:
        """Add an event; return its frame."""
        self.sent.append({"op": DISPATCH, "t": name, "s": len(self.sent) + 1, "d": data})
        return self.sent[-1]


class ClientConnection:
    """A connection of a client. ``silent``: it is open, and nothing moves on it."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._ws = web.WebSocketResponse(max_msg_size=0)
        self._zlib = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self.silent = False

    async def open(self) -> web.WebSocketResponse:
        """Accept the connection; return what frames are read from."""
        await self._ws.prepare(self._request)
        return self._ws

    @property
    def close_code(self) -> int | None:
        """With what the client has closed it."""
        return self._ws.close_code

    async def send(self, frame: Json) -> None:
        """Send a frame; to a client that is gone, nothing."""
        if self.silent or self._ws.closed:
            return
        text = msgspec.json.encode(frame)
        try:
            if self._zlib is None:
                await self._ws.send_str(text.decode())
            else:
                packed = self._zlib.compress(text) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                await self._ws.send_bytes(packed)
        except (ConnectionError, RuntimeError):
            return

    async def close(self, code: int) -> None:
        """Close it."""
        await self._ws.close(code=code)

    def abort(self) -> None:
        """Cut it."""
        if self._request.transport is not None:
            self._request.transport.abort()


class FakeGateway:
    """The gateway. ``changed`` is called when something has happened that a test may wait for.

    ``interval`` are the milliseconds between heartbeats; ``address`` is where sessions are resumed.
    """

    def __init__(
        self, bot_of: Callable[[str], GatewayBot | None], changed: Callable[[], None]
    ) -> None:
        self.interval = 41_250
        self.address = ""
        self.down = False
        self.turned_away = 0  # connections, while it was down
        self._frozen = False
        self.guilds_of: Callable[[str], list[Json]] = lambda bot: []
        self.me: Callable[[str], Json] = lambda bot: {"id": bot}
        self._bot_of = bot_of
        self._changed = changed
        self._open: set[ClientConnection] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        if self.down:
            self.turned_away += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        connection = ClientConnection(request)
        connection.silent = self._frozen
        ws = await connection.open()
        self._open.add(connection)
        bot: GatewayBot | None = None
        try:
            await connection.send(
                {"op": HELLO, "s": None, "t": None, "d": {"heartbeat_interval": self.interval}}
            )
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    continue
                frame = decode_json(message.data)
                bot = await self._on_frame(connection, bot, frame) or bot
                if bot is not None:
                    bot.heard.append(frame)
                self._changed()
        finally:
            self._open.discard(connection)
            if bot is not None:
                bot.closes.append(connection.close_code)
                if bot.session is not None and bot.session.connection is connection:
                    bot.session.connection = None
            self._changed()
        return ws

    async def _on_frame(
        self, connection: ClientConnection, bot: GatewayBot | None, frame: Json
    ) -> GatewayBot | None:
        match frame["op"]:
            case 1:
                await connection.send({"op": ACK, "s": None, "t": None, "d": None})
            case 2 | 6:
                found = self._bot_of(str(frame["d"]["token"]).removeprefix("Bot "))
                if found is None or found.revoked:
                    await connection.close(4004)
                elif frame["op"] == IDENTIFY:
                    await self._identify(connection, found, frame["d"])
                else:
                    await self._resume(connection, found, frame["d"])
                return found
            case _ if bot is None:
                await connection.close(4003)
        return None

    async def _identify(self, connection: ClientConnection, bot: GatewayBot, data: Json) -> None:
        bot.identified += 1
        bot.remaining -= 1
        if bot.content_off and int(data["intents"]) & MESSAGE_CONTENT:
            await connection.close(4014)
            return
        if bot.session is not None:
            bot.session.valid = False
        session = bot.session = FakeSession()
        session.connection = connection
        guilds = self.guilds_of(bot.id)
        ready = {
            "v": 10,
            "user": self.me(bot.id),
            "guilds": [{"id": each["id"], "unavailable": True} for each in guilds],
            "private_channels": [],
            "session_id": session.id,
            "resume_gateway_url": self.address,
            "shard": [0, 1],
            "application": {"id": bot.id, "flags": 0},
        }
        await connection.send(session.append("READY", ready))
        for each in guilds:
            await connection.send(session.append("GUILD_CREATE", each))

    async def _resume(self, connection: ClientConnection, bot: GatewayBot, data: Json) -> None:
        session = bot.session
        if session is None or session.id != data["session_id"] or not session.valid:
            await connection.send({"op": INVALID, "d": False, "s": None, "t": None})
            return
        bot.resumed += 1
        session.connection = connection
        for frame in session.sent[int(data["seq"]) :]:
            await connection.send(frame)
        await connection.send(session.append("RESUMED", {}))

    async def dispatch(self, bots: Iterable[GatewayBot], name: str, data: Json) -> None:
        """Send bots an event; those without a connection get it when they resume."""
        for bot in bots:
            session = bot.session
            if session is None or not session.valid:
                continue
            frame = session.append(name, data)
            for _ in range(2 if bot.twice else 1):
                if session.connection is not None:
                    await session.connection.send(frame)
        self._changed()

    async def close(self, bot: GatewayBot, code: int) -> None:
        """Close the connection of a bot with a code."""
        if bot.session is not None and bot.session.connection is not None:
            await bot.session.connection.close(code)

    async def ask_to_reconnect(self, bot: GatewayBot) -> None:
        """Send a bot the request to connect again (op 7)."""
        await self._send(bot, {"op": RECONNECT, "d": None, "s": None, "t": None})

    async def invalidate(self, bot: GatewayBot, *, resumable: bool = False) -> None:
        """Send a bot that its session is invalid (op 9)."""
        if bot.session is not None and not resumable:
            bot.session.valid = False
        await self._send(bot, {"op": INVALID, "d": resumable, "s": None, "t": None})

    def forget(self, bot: GatewayBot) -> None:
        """Drop the session, as Discord does some minutes after the connection was lost."""
        if bot.session is not None:
            bot.session.valid = False

    def silence(self, bot: GatewayBot, *, silent: bool = True) -> None:
        """Stop all traffic on a bot's open connection; or, if not ``silent``, allow it again."""
        if bot.session is not None and bot.session.connection is not None:
            bot.session.connection.silent = silent

    def freeze(self) -> None:
        """Stop all traffic on every connection, also on new ones."""
        self._frozen = True
        for each in self._open:
            each.silent = True

    def thaw(self) -> None:
        """Cut the connections on which nothing moves; new ones are served."""
        if self._frozen:
            self._frozen = False
            self.cut()

    def cut(self) -> None:
        """Cut every connection."""
        for each in list(self._open):
            each.abort()

    async def end(self) -> None:
        """Close what is open, so that the server can end."""
        await asyncio.gather(*(each.close(1001) for each in list(self._open)))

    async def _send(self, bot: GatewayBot, frame: dict[str, Any]) -> None:
        if bot.session is not None and bot.session.connection is not None:
            await bot.session.connection.send(frame)
