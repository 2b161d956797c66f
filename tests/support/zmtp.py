"""A peer that sends ZMTP 3.1 (https://rfc.zeromq.org/spec/37) byte by byte, against any rule."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from pathlib import Path
from types import TracebackType

from ipc.identity.peer import PeerCredentials
from tests.support.until import PATIENCE

SOON = 5.0  # seconds, after which a connection counts as one that stays open or takes no more

MORE, LONG, COMMAND = 1, 2, 4


def greeting(mechanism: bytes = b"PLAIN", version: bytes = b"\x03\x01") -> bytes:
    """Return what both sides send first."""
    return b"\xff" + bytes(8) + b"\x7f" + version + mechanism.ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0) -> bytes:
    """Return one frame; ``flags`` of ``MORE`` and ``COMMAND``."""
    if len(body) > 255:
        return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def message(*parts: bytes) -> bytes:
    """Return the frames of one message."""
    return b"".join(frame(part, MORE) for part in parts[:-1]) + frame(parts[-1])


def command(name: bytes, data: bytes = b"") -> bytes:
    """Return a command."""
    return frame(bytes([len(name)]) + name + data, COMMAND)


def hello(name: bytes, token: bytes) -> bytes:
    """Return the first command of PLAIN."""
    return command(b"HELLO", bytes([len(name)]) + name + bytes([len(token)]) + token)


def initiate(routing_id: bytes, kind: bytes = b"DEALER") -> bytes:
    """Return the second one, with the metadata."""
    pairs = ((b"Socket-Type", kind), (b"Identity", routing_id))
    data = b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value for name, value in pairs
    )
    return command(b"INITIATE", data)


def come_and_go(path: Path, known: PeerCredentials, times: int) -> None:
    """Connect as a worker again and again, without waiting for the end of a handshake. Blocks."""
    for _ in range(times):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(path))
            peer.sendall(greeting() + hello(known.name.encode(), known.token.encode()))


class RawPeer:
    """One connection to the socket at ``path``."""

    def __init__(self, path: str | Path) -> None:
        self._path = str(path).removeprefix("ipc://")

    async def __aenter__(self) -> RawPeer:
        async with asyncio.timeout(PATIENCE):
            while True:  # a socket hides for a moment while many connect
                with contextlib.suppress(FileNotFoundError, BlockingIOError):
                    found = await asyncio.open_unix_connection(self._path)
                    break
                await asyncio.sleep(0.005)
        self.reader, self.writer = found
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()

    async def prove(self, known: PeerCredentials, routing_id: bytes | None = None) -> None:
        """Complete the handshake, and claim a routing id, by default its own."""
        self.writer.write(greeting() + hello(known.name.encode(), known.token.encode()))
        async with asyncio.timeout(PATIENCE):
            await self.reader.readuntil(b"\x07WELCOME")
            claimed = known.routing_id if routing_id is None else routing_id
            self.writer.write(initiate(claimed))
            await self.reader.readuntil(b"\x05READY")

    async def send(self, data: bytes) -> bool:
        """Send bytes; return ``False`` if the other end has closed."""
        try:
            self.writer.write(data)
            async with asyncio.timeout(SOON):
                await self.writer.drain()
        except (OSError, TimeoutError, RuntimeError):  # uvloop's word for a closed transport
            return False
        return not self.reader.at_eof()

    async def closed(self) -> bool:
        """Return whether the other end closes the connection soon."""
        try:
            async with asyncio.timeout(SOON):
                while await self.reader.read(65536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True
