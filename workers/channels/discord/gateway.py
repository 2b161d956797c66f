"""Holds one connection to Discord's gateway: the hello, heartbeats, and its events.

A frame is read only when the previous one was handed on, so back-pressure of a full backlog
reaches Discord. Heartbeats are sent meanwhile. The stream is not compressed: a bot receives little,
and a decompressor would cost each account the memory of its window.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

from ipc import timeouts
from ipc.nesting import MALFORMED, decode_json
from workers.channels.discord.objects import DiscordReady, GatewayFrame, Hello, Json
from workers.channels.discord.refusals import NEW_SESSION_CODES
from workers.channels.discord.session import BotSession
from workers.web.faults import fault_of, why

DISPATCH, HEARTBEAT, RECONNECT, INVALID_SESSION, HELLO, ACK = 0, 1, 7, 9, 10, 11
GOING_ON = 4000  # closed with it, a session can be resumed; after 1000 and 1001 it cannot
HELLO_SECONDS = 20.0
CLOSE_SECONDS = 2.0  # how long the answer to a close is waited for
MAX_FRAME = 64 * 1024 * 1024  # bytes; a large server, with all of its channels, has a few MiB
LEAST_INTERVAL = 1.0  # s between heartbeats, whatever a server asks for

_encode = msgspec.json.Encoder().encode

OnEvent = Callable[[str, msgspec.Raw], Awaitable[None]]


class ConnectionEnd(msgspec.Struct, frozen=True):
    """How a connection ended: the close ``code``, and the seconds to ``wait`` before the next.

    ``routine``: Discord ends connections like this now and then; it is not a failure.
    """

    text: str
    code: int | None = None
    wait: float = 0.0
    routine: bool = False


class GatewayConnection:
    """One connection; ``on_event`` gets each event, ``alive`` each heartbeat's answer."""

    def __init__(
        self, session: BotSession, token: str, on_event: OnEvent, alive: Callable[[], None]
    ) -> None:
        self._session = session
        self._token = token
        self._on_event = on_event
        self._alive = alive
        self._loop = asyncio.get_running_loop()
        self._answered = True  # the last heartbeat was
        self._reading = False  # waiting for a frame, not passing one on
        self._greeted = False
        self._dead = ""

    async def run(self, http: aiohttp.ClientSession, url: str) -> ConnectionEnd:
        """Serve one connection until it ends; return why.

        Raises ``Unreachable`` or ``NoAnswer`` when there is none.
        """
        limits = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
        beating: asyncio.Task[None] | None = None
        address = f"{url.rstrip('/')}/?v=10&encoding=json"
        try:
            async with timeouts.timeout(HELLO_SECONDS):
                ws = await http.ws_connect(
                    address, timeout=limits, max_msg_size=MAX_FRAME, decode_text=False
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise fault_of("the gateway", error) from None
        try:
            seconds = await self._hello(ws)
            if seconds is None:
                return self._end_of(ws)
            beating = asyncio.create_task(self._beat(ws, seconds))
            await self._send(ws, self._session.greeting(self._token))
            return await self._serve(ws)
        except MALFORMED as error:
            return ConnectionEnd(f"the gateway sent a frame that cannot be parsed: {error}")
        except (aiohttp.ClientError, OSError) as error:
            return ConnectionEnd(why(error))
        finally:
            if beating is not None:
                await _end(beating)
            await ws.close(code=GOING_ON)

    async def _hello(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> float | None:
        """Return the seconds between heartbeats; ``None`` when the connection has ended."""
        try:
            async with timeouts.timeout(HELLO_SECONDS):
                frame = await self._next(ws)
        except TimeoutError:
            self._dead = "the gateway has not sent Hello in time"
            return None
        if frame is None or frame.op != HELLO:
            return None
        return max(decode_json(frame.d, Hello).heartbeat_interval / 1000, LEAST_INTERVAL)

    async def _serve(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> ConnectionEnd:
        while (frame := await self._next(ws)) is not None:
            match frame.op:
                case 0:
                    await self._dispatch(frame)
                case 1:
                    await self._send(ws, {"op": HEARTBEAT, "d": self._session.seq or None})
                case 11:
                    self._answered = True
                    self._alive()
                case 7:
                    return ConnectionEnd("Discord asks to connect again", routine=True)
                case 9:
                    return self._invalid(frame)
        return self._end_of(ws)

    async def _dispatch(self, frame: GatewayFrame) -> None:
        """Pass an event on, and record its sequence number in the session."""
        if frame.t == "READY":
            self._session.begin(decode_json(frame.d, DiscordReady))
        self._greeted = True
        if frame.s is not None:
            self._session.seq = frame.s
        await self._on_event(frame.t or "", frame.d)

    def _invalid(self, frame: GatewayFrame) -> ConnectionEnd:
        """Return the end of a connection with an invalid session, and the wait Discord asks for."""
        if bytes(frame.d) != b"true":
            self._session.forget()
        wait = random.uniform(1.0, 5.0)
        return ConnectionEnd("the session is not valid any more", wait=wait, routine=True)

    def _end_of(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> ConnectionEnd:
        code = ws.close_code
        if code in NEW_SESSION_CODES:
            self._session.forget()
        if self._dead:
            return ConnectionEnd(self._dead)
        known = code is not None and code != aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        text = f"Discord closed the connection ({code})" if known else "the connection is lost"
        return ConnectionEnd(text, code)

    async def _next(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> GatewayFrame | None:
        """Return the next frame; ``None`` when the connection has ended."""
        while True:
            self._reading = True
            try:
                message = await ws.receive()
            finally:
                self._reading = False
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return decode_json(message.data, GatewayFrame)
            return None

    async def _beat(self, ws: aiohttp.ClientWebSocketResponse[bool], interval: float) -> None:
        """Send heartbeats; close the connection when one is not answered before the next.

        While an event is being handed on nothing is read, so no answer counts as missing.
        """
        await asyncio.sleep(interval * random.random())
        beats = 0
        while True:
            if not self._answered and self._reading:
                self._dead = "no answer to a heartbeat"
            elif not self._greeted and beats > 1:
                self._dead = "no session on this connection"
            if self._dead:
                await ws.close(code=GOING_ON)
                return
            self._answered = False
            beats += 1
            try:
                await self._send(ws, {"op": HEARTBEAT, "d": self._session.seq or None})
            except (aiohttp.ClientError, OSError):
                return  # the reader learns of it too
            await asyncio.sleep(interval)

    async def _send(self, ws: aiohttp.ClientWebSocketResponse[bool], frame: Json) -> None:
        await ws.send_str(_encode(frame).decode())


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a helper task; raise the exception that it has failed with."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
