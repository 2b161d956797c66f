"""Holds one Socket Mode connection: a WebSocket that carries envelopes and their acks.

Pings are answered as frames arrive, however long messages wait to be handled. A half-open
connection is detected by pings of our own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import aiohttp
import msgspec

from ipc import timeouts
from ipc.nesting import MALFORMED, decode_json
from workers.channels.slack.objects import Envelope
from workers.web.faults import Unreachable, why

PING_SECONDS = 20.0  # silence after which we ask; half of it is how long the answer may take
OPEN_SECONDS = 15.0  # until Slack has said hello
MAX_FRAME = 4 * 1024 * 1024  # bytes
NOT_UNDERSTOOD = "not understood"  # the type of a frame that is none of Slack's
GONE = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)

_encode = msgspec.json.Encoder().encode


class SlackConnection:
    """One connection on which Slack has sent hello; ``alive`` is called at each frame.

    ``opened`` is its monotonic start time. ``ended`` is why it ended, empty before that.
    ``leaving`` is set when it has ended, or Slack asks to replace it.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, alive: Callable[[], None] = lambda: None
    ) -> None:
        self.opened = time.monotonic()
        self.ended = ""
        self.leaving = asyncio.Event()
        self._socket = socket
        self._alive = alive

    @classmethod
    async def open(
        cls,
        session: aiohttp.ClientSession,
        url: str,
        alive: Callable[[], None],
    ) -> tuple[SlackConnection, Envelope]:
        """Connect; return the connection and its first frame: hello, or the reason of a refusal.

        Raises ``Unreachable``, whose text omits the URL, because that contains a ticket.
        """
        try:
            async with timeouts.timeout(OPEN_SECONDS):
                socket = await session.ws_connect(
                    url, autoping=False, heartbeat=PING_SECONDS, max_msg_size=MAX_FRAME
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"Socket Mode: {why(error)}") from None
        made = cls(socket, alive)
        try:
            async with timeouts.timeout(OPEN_SECONDS):
                async for frame in made.frames():
                    return made, frame
        except TimeoutError:
            made.ended = "Slack sent no hello in time"
        finally:
            if made.ended:
                await made.close()
        raise Unreachable(f"Socket Mode: {made.ended}")

    async def frames(self) -> AsyncIterator[Envelope]:
        """Yield the envelopes that Slack sends until the connection ends; then ``ended`` is set."""
        while not self.ended:
            message = await self._socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    self._alive()
                    yield _envelope(message.data)
                case aiohttp.WSMsgType.PING:
                    self._alive()
                    await self._pong(message.data)
                case aiohttp.WSMsgType.PONG:
                    self._alive()
                case aiohttp.WSMsgType.ERROR:
                    self.ended = _silence(message.data)
                case kind if kind in GONE:
                    self.ended = f"Slack closed the connection ({self._socket.close_code})"
        self.leaving.set()

    async def acknowledge(self, envelope_id: str) -> bool:
        """Acknowledge an envelope; return whether it could be written."""
        if self.ended or self._socket.closed:
            return False
        try:
            await self._socket.send_str(_encode({"envelope_id": envelope_id}).decode())
        except (aiohttp.ClientError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close the connection if it is still open."""
        self.ended = self.ended or "closed by us"
        self.leaving.set()
        await self._socket.close()

    async def _pong(self, data: bytes) -> None:
        with suppress(aiohttp.ClientError, OSError):  # then the next frame is that it is closed
            await self._socket.pong(data)


def _envelope(text: str) -> Envelope:
    try:
        return decode_json(text, Envelope)
    except MALFORMED as error:
        return Envelope(NOT_UNDERSTOOD, reason=str(error))


def _silence(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "Slack does not answer on the open connection"
    return why(error) if isinstance(error, BaseException) else "the connection is broken"
