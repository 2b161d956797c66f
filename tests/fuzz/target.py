"""The gateway under fire: in this process, on a real socket, with everything counted.

Frames are sent in bursts, each followed by a good request whose answer proves that the burst
was dealt with. What must never happen is counted as a fault: an error in a log, an
exception of the loop, a close with 1011, an answer that is no frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import structlog

from ipc.errors import FrameError
from ipc.frames.data import Answer, Call
from ipc.frames.websocket import decode_from_server
from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.rawclient import connect_params

BURST_SECONDS = 20.0  # for the answer to the good request behind a burst
FIRST_SECONDS = 0.2  # for an answer to a first frame, which may get none at all
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@dataclass
class Tally:
    """What was sent and what came of it."""

    frames: int = 0  # after ``connect``, in bursts that were dealt with to the end
    cut_off: int = 0  # in bursts during which the gateway closed the connection
    first_frames: int = 0
    http: int = 0
    answers: int = 0
    closes: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        self.faults.append(text[:2000])


class _Errors(logging.Handler):
    """Everything that is logged as an error is a fault."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.ERROR)
        self._tally = tally
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        self._tally.fault(self.format(record))


def masked(payload: bytes, first: int = 0x81) -> bytes:
    """Return ``payload`` as a frame of a client whose mask changes nothing: four zeros."""
    length = len(payload)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65536:
        head = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload


class Wire(asyncio.Protocol):
    """One client: bytes out, and the frames that come in counted and checked."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._data = bytearray()
        self._upgraded = False
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.first: asyncio.Future[None] = loop.create_future()  # a response, whichever
        self._awaited: tuple[bytes, asyncio.Future[None]] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_UPGRADE)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._upgraded:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._data.startswith(b"HTTP/1.1 101 "):
                self._tally.fault(f"no upgrade: {bytes(self._data[:200])!r}")
            self._upgraded = True
            del self._data[: end + 4]
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)
        self._release()

    def say(self, payload: bytes) -> None:
        self.transport.write(masked(payload))

    async def answered(self, burst: bytes, number: int) -> bool:
        """Send a burst and a good request; say whether that was answered, not the end."""
        name = b'"id":"sentinel-%d"' % number
        future = asyncio.get_running_loop().create_future()
        self._awaited = name, future
        self.transport.write(burst + masked(b'{"type":"req",%b,"method":"last-heartbeat"}' % name))
        async with asyncio.timeout(BURST_SECONDS):
            await future
        return not self.ended.done()

    async def close(self) -> None:
        self.transport.abort()
        await self.ended

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        length, start = data[1] & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(data) < start:
                return None
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            return None
        first, payload = data[0], bytes(data[start : start + length])
        del data[: start + length]
        return first, payload

    def _take(self, first: int, payload: bytes) -> None:
        if first == 0x88:
            code = int.from_bytes(payload[:2], "big")
            self._tally.closes[code] = self._tally.closes.get(code, 0) + 1
            if code == 1011:
                self._tally.fault(f"closed with {payload!r}")
            self.transport.abort()
            return
        if first != 0x81:
            return  # a ping, or a pong for a ping that a mutation made
        self._tally.answers += 1
        try:
            decode_from_server(payload)
        except FrameError as error:
            self._tally.fault(f"{error}: {payload[:300]!r}")
        if b"internal error" in payload:
            self._tally.fault(f"{payload[:300]!r}")
        if payload.startswith(b'{"type":"res"') and not self.first.done():
            self.first.set_result(None)
        if self._awaited is not None and self._awaited[0] in payload[:60]:
            self._release()

    def _release(self) -> None:
        if self._awaited is not None and not self._awaited[1].done():
            self._awaited[1].set_result(None)
        if self.ended.done() and not self.first.done():
            self.first.set_result(None)


class Target:
    """The gateway and its clients. ``tally`` is what has happened."""

    def __init__(self, rig: GatewayRig, tally: Tally) -> None:
        self.rig = rig
        self.tally = tally
        self._wires: dict[int, Wire] = {}
        self._sentinel = 0

    async def wire(self) -> Wire:
        """Return a connection that has said nothing yet."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: Wire(self.tally), "127.0.0.1", self.rig.port)
        return wire

    async def burst(
        self, frames: list[bytes], protocol: int = 4, *, first: int = 0x81, fresh: bool = False
    ) -> bool:
        """Send frames after ``connect``; say whether all were dealt with.

        ``fresh`` is for what may cost the connection; others are kept while they live.
        """
        wire = None if fresh else self._wires.get(protocol)
        if wire is None or wire.ended.done():
            wire = await self._connected(protocol)
            if not fresh:
                self._wires[protocol] = wire
        self._sentinel += 1
        joined = b"".join(masked(frame, first) for frame in frames)
        whole = await wire.answered(joined, self._sentinel)
        if whole:
            self.tally.frames += len(frames)
        else:
            self.tally.cut_off += len(frames)
        if fresh:
            await wire.close()
        return whole

    async def first_frame(self, frame: bytes) -> None:
        """Send one frame as the first of a connection; take what comes, if something does."""
        self.tally.first_frames += 1
        wire = await self.wire()
        wire.say(frame)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await asyncio.shield(wire.first)
        await wire.close()

    async def request(self, data: bytes) -> None:
        """Send bytes as HTTP; read until the end, which our own end of file brings about."""
        self.tally.http += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.rig.port)
        try:
            writer.write(data)
            if writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(BURST_SECONDS):
                with contextlib.suppress(ConnectionError):
                    answer = await reader.read()
                    self.tally.answers += bool(answer)
                    if answer.startswith(b"HTTP/1.1 500") or b"Traceback" in answer:
                        self.tally.fault(f"{data!r} was answered {answer[:300]!r}")
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def close(self) -> None:
        for wire in self._wires.values():
            await wire.close()
        self._wires.clear()

    async def _connected(self, protocol: int) -> Wire:
        wire = await self.wire()
        hello = {"type": "req", "id": "hello", "method": "connect"}
        wire.say(json.dumps(hello | {"params": connect_params(TOKEN, protocol)}).encode())
        await asyncio.wait_for(asyncio.shield(wire.first), BURST_SECONDS)
        return wire


class _Refusing(dict[str, Any]):
    """A supervisor that refuses whatever it is asked."""

    def get(self, key: str, default: Any = None) -> Any:
        return {"ok": False, "error": {"code": "UNAVAILABLE", "message": f"{key}: not now"}}


def _answer(call: Call) -> Answer:
    return Answer(call.id, True, b'{"id":"m1","chat":"c1","ts":1}')


def _count_errors(tally: Tally) -> Any:
    def processor(_: Any, name: str, event: structlog.typing.EventDict) -> Any:
        if name in ("error", "exception", "critical"):
            exc = event.get("exc_info")
            text = structlog.processors.format_exc_info(_, name, {"exc_info": exc}) if exc else {}
            tally.fault(f"{event} {text.get('exception', '')}")
        raise structlog.DropEvent

    return processor


@contextlib.asynccontextmanager
async def target() -> AsyncIterator[Target]:
    """Run a gateway with one account, whose worker and supervisor answer at once."""
    tally = Tally()
    errors = _Errors(tally)
    logging.getLogger().addHandler(errors)
    structlog.configure(processors=[_count_errors(tally)])
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: tally.fault(str(context)))
    try:
        async with gateway_rig() as rig:
            rig.answers = _Refusing()
            worker = await rig.worker("irc:libera")
            worker.on_call = _answer
            made = Target(rig, tally)
            try:
                yield made
            finally:
                await made.close()
    finally:
        loop.set_exception_handler(None)
        structlog.reset_defaults()
        logging.getLogger().removeHandler(errors)
