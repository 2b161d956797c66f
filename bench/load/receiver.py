"""Receives and counts events as a minimal WebSocket client in Python.

What the generator in C does for one client, for the fallback and for benchmarks that run in
one process. Numbers are checked per account: ``gaps`` and ``repeats`` must stay 0.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, cast

EVENT = b'{"type":"event","event":"channel.message"'
CHALLENGE = b'{"type":"event","event":"connect.challenge"'
RESPONSE = b'{"type":"res","id":"'
_MASK = b"\0\0\0\0"


def upgrade(port: int) -> bytes:
    """Return the request that turns a connection into a WebSocket."""
    return (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """Return a client's frame; its mask is 0, so that applying it costs nothing."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, 0x80 | length)) + _MASK + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2, "big") + _MASK + payload


class Receiver(asyncio.Protocol):
    """The client. ``opened`` and ``ended`` are futures; ``on_answer(id, ok)`` gets each answer.

    ``connect`` of ``None``: the server expects no handshake of ours. ``event`` names the event
    that counts instead of ``channel.message``: all of such a server are numbered by ``seq``.
    """

    def __init__(self, port: int, connect: bytes | None, event: str = "") -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.on_answer: Callable[[int, bool], None] | None = None
        self.frames = self.gaps = self.repeats = self.errors = self.bytes = 0
        self.latencies: list[int] | None = None  # ns; a list: they are kept
        self.wanted = 0
        self.enough: asyncio.Future[None] | None = None
        self._port, self._connect = port, connect
        self._tail = b""
        self._last: dict[bytes, tuple[int, int]] = {}
        self._take: Callable[[bytes], None] = self._greet
        self._upgraded = False
        self._event_name, self._seq = event, 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(upgrade(self._port))

    def connection_lost(self, exc: Exception | None) -> None:
        """Resolve the futures that are pending."""
        if not self.ended.done():
            self.ended.set_result(None)
        for future in (self.opened, self.enough):
            if future is not None and not future.done():
                future.set_exception(ConnectionError("closed"))

    def until(self, count: int) -> asyncio.Future[None]:
        """Return a future that is done once ``count`` more messages have arrived."""
        self.wanted = self.frames + count
        self.enough = asyncio.get_running_loop().create_future()
        return self.enough

    def ask(self, *requests: bytes) -> None:
        """Send requests in one write."""
        self.transport.write(b"".join(map(masked, requests)))

    def data_received(self, data: bytes) -> None:
        """Handle every complete frame."""
        self.bytes += len(data)
        data = self._tail + data
        at = 0
        if not self._upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._tail = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(data[:60])
            self._upgraded, at = True, end + 4
            if self._connect is None:
                self._open()
        end = len(data)
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length > 125:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if start + length > end:
                break
            if data[at] == 0x81:
                self._take(data[start : start + length])
            elif data[at] == 0x89:
                self.transport.write(masked(data[start : start + length], 10))
            at = start + length
        self._tail = data[at:]

    def _open(self) -> None:
        self._take = self._count
        self.opened.set_result(None)

    def _greet(self, frame: bytes) -> None:
        if frame.startswith(CHALLENGE):
            self.transport.write(masked(self._connect or b""))
        elif frame.startswith(b'{"type":"res"'):
            if b'"ok":true' not in frame:
                raise ConnectionError(frame[:300])
            self._open()

    def _count(self, frame: bytes) -> None:
        if self._event_name and frame.startswith(b'{"type":"event"'):
            self._numbered(json.loads(frame), frame)
        elif frame.startswith(EVENT):
            self._event(frame)
        elif frame.startswith(RESPONSE) and self.on_answer is not None:
            end = frame.index(b'"', len(RESPONSE))
            self.on_answer(int(frame[len(RESPONSE) : end]), b'"ok":true' in frame[:400])

    def _event(self, frame: bytes) -> None:
        name = frame.index(b'"account":"') + 11
        account = frame[name : frame.index(b'"', name)]
        cursor = frame.index(b'"cursor":"', name) + 10
        colon = frame.index(b":", cursor)
        incarnation = int(frame[cursor:colon])
        seq = int(frame[colon + 1 : frame.index(b'"', colon)])
        before = self._last.get(account)
        if before is not None and before[0] == incarnation:
            self._follow(before[1], seq)
        self._last[account] = incarnation, seq
        self._counted(frame, frame.index(b'"text":"', colon) + 8)

    def _numbered(self, event: dict[str, Any], frame: bytes) -> None:
        seq = event.get("seq")
        if seq is None:
            return  # for this client alone
        if self._seq:
            self._follow(self._seq, seq)
        self._seq = seq
        text = frame.find(b'"text":"0')
        if event["event"] == self._event_name and text >= 0:
            self._counted(frame, text + 8)

    def _follow(self, last: int, seq: int) -> None:
        """Check that a number follows the one before."""
        if seq <= last:
            self.repeats += 1
        else:
            self.gaps += seq - last - 1

    def _counted(self, frame: bytes, text: int) -> None:
        self.frames += 1
        if self.latencies is not None:
            emitted = frame[text : text + 30].split(b" ")[1]
            self.latencies.append(time.monotonic_ns() - int(emitted))
        if self.frames == self.wanted and self.enough is not None:
            self.enough.set_result(None)


async def receiver(port: int, connect: bytes | None, event: str = "") -> Receiver:
    """Return a client that has completed the handshake."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        lambda: Receiver(port, connect, event), "127.0.0.1", port
    )
    await protocol.opened
    return protocol
