"""Reads the bodies of HTTP requests to accounts, a large one into a file.

A worker takes a body of up to 1 MiB in a frame. A larger one is written into the account's media
directory, where a confined worker can read it too, and removed when its request is answered. What a
killed gateway has left there the worker removes (``workers.media.directory``).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import HttpVersion11, web

from ipc import timeouts
from ipc.frames.data import MAX_PAYLOAD_BYTES
from ipc.media import account_directory, body_name
from runtime.gateway.accounts.http_bounds import Crowded, HttpBounds, HttpPlace, too_slow
from runtime.gateway.accounts.http_calls import IngressBody
from runtime.gateway.http.ingress_heads import BadHead

BODY_SECONDS = 10.0  # in which a body has to arrive,
BYTES_PER_SECOND = 256 * 1024  # and for each of so many bytes a second more
PIECE = 256 * 1024  # bytes that are written at once
DISK_RETRY_SECONDS = 60.0


class BodyFile:
    """The file that holds one body; its methods block and raise ``OSError``."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = body_name(secrets.token_hex(16))
        self._path = directory / self.name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        self._lock = threading.Lock()  # a write goes on where what waited for it was cancelled
        self._removed = False

    def write(self, data: bytes) -> None:
        """Write all of ``data``, unless it has been removed."""
        rest = memoryview(data)
        with self._lock:
            while rest and not self._removed:
                rest = rest[os.write(self._fd, rest) :]

    def remove(self) -> None:
        """Close and remove it."""
        with self._lock:
            self._removed = True
            os.close(self._fd)
            self._path.unlink(missing_ok=True)


class IngressBodies:
    """The reader of bodies, within ``bounds``; files go to media directories in ``state_dir``."""

    def __init__(self, bounds: HttpBounds, state_dir: Path) -> None:
        self._bounds = bounds
        self._state_dir = state_dir
        self._clock = asyncio.get_running_loop().time

    def check_length(self, size: int, most: int) -> None:
        """Raise ``BadHead`` if a body of ``size`` bytes is larger than ``most``."""
        if size > most:
            self._bounds.count_refusal("too large")
            raise BadHead(413, f"a body has at most {most} bytes here")

    def complete_body(
        self, request: web.BaseRequest, place: HttpPlace, most: int
    ) -> IngressBody | None:
        """Return a body that has arrived completely, as most do; ``None`` if it has not.

        Raises ``BadHead`` when it is too large, and ``Crowded``.
        """
        if not request.can_read_body:
            return IngressBody()
        content = request.content
        if (
            not content.is_eof()
            or content.exception() is not None
            or content.total_bytes > MAX_PAYLOAD_BYTES
            or "Expect" in request.headers
        ):
            return None
        data = content.read_nowait()
        self.check_length(len(data), most)
        place.reserve(len(data))
        return IngressBody(data)

    @asynccontextmanager
    async def receive(
        self, request: web.BaseRequest, place: HttpPlace, key: str, most: int
    ) -> AsyncIterator[IngressBody]:
        """Read a body of at most ``most`` bytes; its file, if any, is removed at the end.

        Raises ``BadHead`` when it is too large, too slow or malformed, and ``Crowded``.
        """
        if not request.can_read_body:
            yield IngressBody()
            return
        await send_continue(request)
        reading = _ReceivedBody(self._state_dir, key)
        try:
            await self._read(request, place, most, reading)
            yield reading.body()
        finally:
            await reading.close()

    async def _read(
        self, request: web.BaseRequest, place: HttpPlace, most: int, reading: _ReceivedBody
    ) -> None:
        try:
            async with timeouts.timeout(BODY_SECONDS) as limit:
                if not request.content.is_eof():
                    place.begin_body(self._clock(), lambda: limit.reschedule(self._clock()))
                began, size = self._clock(), 0
                while part := await request.content.readany():
                    size += len(part)
                    self.check_length(size, most)
                    if size > MAX_PAYLOAD_BYTES:
                        limit.reschedule(began + BODY_SECONDS + size / BYTES_PER_SECOND)
                    await reading.add(part, size, place)
                await reading.end()
            place.on_body_end()
        except TimeoutError:
            if place.lost:
                raise too_slow() from None
            raise BadHead(408, f"the body has not come within {BODY_SECONDS:g} s") from None
        except (web.RequestPayloadError, ConnectionError):  # or its client has gone away
            raise BadHead(400, "the body is malformed") from None
        except OSError as error:
            text = f"the body cannot be kept: {error.strerror}"
            raise Crowded("disk", text, DISK_RETRY_SECONDS) from None


class _ReceivedBody:
    """The received part of one body."""

    def __init__(self, state_dir: Path, key: str) -> None:
        self._state_dir, self._key = state_dir, key
        self._parts: list[bytes] = []
        self._pending = 0
        self._file: BodyFile | None = None

    async def add(self, part: bytes, size: int, place: HttpPlace) -> None:
        """Add the next part, with which ``size`` bytes have arrived in total."""
        if self._file is not None:
            place.reserve_disk(len(part))
        else:
            place.reserve(len(part))
        self._parts.append(part)
        self._pending += len(part)
        if self._file is None and size > MAX_PAYLOAD_BYTES:
            place.move_to_disk()
            self._file = BodyFile(account_directory(self._state_dir, self._key))
        if self._file is not None and self._pending >= PIECE:
            await self._write(self._file)

    async def end(self) -> None:
        """Write the rest."""
        if self._file is not None and self._parts:
            await self._write(self._file)

    def body(self) -> IngressBody:
        """Return the complete body."""
        if self._file is not None:
            return IngressBody(file=self._file.name)
        return IngressBody(b"".join(self._parts))

    async def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            await asyncio.to_thread(self._file.remove)

    async def _write(self, file: BodyFile) -> None:
        data = b"".join(self._parts)
        self._parts.clear()
        self._pending = 0
        await asyncio.to_thread(file.write, data)


async def send_continue(request: web.BaseRequest) -> None:
    """Send 100 Continue if the client expects it; raises ``BadHead``."""
    expected = request.headers.get("Expect")
    if expected is None or request.version != HttpVersion11:
        return
    if expected.lower() != "100-continue":
        raise BadHead(417, "the only expectation that is known is 100-continue")
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # as the library does: it is no part of the answer
