"""Stores and reads the files of one account: ``Context.media``.

Files are streamed: never more than a piece of one is in memory.
"""

from __future__ import annotations

import asyncio
import inspect
import mimetypes
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ipc.frames.bootstrap import MediaBoot
from ipc.media import (
    HEAD_BYTES,
    SCHEME,
    UNKNOWN,
    MediaAbout,
    clean_name,
    clean_type,
    media_id,
    type_of_head,
)
from workers.errors import MediaFailed
from workers.media.data_urls import content_of
from workers.media.directory import MediaDirectory, NoRoom, failure_of
from workers.media.opening import open_allowed
from workers.media.policy import MediaPolicy, path_of
from workers.messages import Attachment

PIECE = 256 * 1024  # bytes that are read and written at once


class StoredMedia(msgspec.Struct):
    """A file that is open for reading (a ``workers.media.interface.MediaReader``)."""

    fd: int
    name: str | None
    type: str
    size: int
    _at: int = 0

    async def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, all that remain for -1, and b"" at the end."""
        wanted = self.size - self._at if size < 0 else size
        data = await asyncio.to_thread(os.pread, self.fd, wanted, self._at)
        self._at += len(data)
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file in pieces, from the beginning."""
        at = 0
        while data := await asyncio.to_thread(os.pread, self.fd, PIECE, at):
            at += len(data)
            yield data

    def binary(self) -> BinaryIO:
        """Return a file object at the beginning, for libraries; the caller closes it."""
        return open(f"/proc/self/fd/{self.fd}", "rb")


class MediaStore:
    """The files of one account. ``max_down`` bounds each file that is saved; 0: only the quota.

    ``on_refusal`` is called with a sentence when a file was not stored for want of room, and with
    "" when there is room again.
    """

    def __init__(
        self,
        boot: MediaBoot,
        *,
        max_down: int = 0,
        proxy: str | None = None,
        on_refusal: Callable[[str], None] = lambda refusal: None,
    ) -> None:
        self.directory = MediaDirectory(Path(boot.directory), boot.quota, boot.ttl)
        self.policy = MediaPolicy(boot.allow, boot.hidden)
        self._max_down = max_down
        self._proxy = proxy
        self._on_refusal = on_refusal

    async def save(
        self,
        source: Any,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
        limit: int = 0,
    ) -> Attachment:
        """Store the content of ``source``; return it once it is durable. Raises ``MediaFailed``.

        ``limit`` is instead of ``max_down``.
        """
        most = limit or self._max_down or self.directory.quota
        if size is not None and size > most:
            raise too_large(size, most)
        about = MediaAbout(clean_name(name), clean_type(type))
        try:
            saved = await self._save(source, about, size, most)
        except NoRoom as error:
            self._on_refusal(str(error))
            raise
        self._on_refusal("")
        return saved

    async def receive(
        self,
        source: Any,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
    ) -> Attachment:
        """Store a file of an incoming message; if that fails, return an attachment that says why.

        So the message arrives in any case. The reason is in ``missing`` of the attachment.
        """
        try:
            return await self.save(source, name=name, type=type, size=size)
        except MediaFailed as error:
            return self.missing(str(error), name=name, type=type, size=size)

    def missing(
        self,
        why: str,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
    ) -> Attachment:
        """Return an attachment for a file that could not be stored; ``why`` is shown to people."""
        return Attachment("", clean_type(type), clean_name(name), size, missing=why)

    async def fetch(
        self, url: str, *, name: str | None = None, type: str | None = None, limit: int = 0
    ) -> Attachment:
        """Download an http or https URL and store it. Raises ``MediaFailed``.

        Private addresses are refused, unless ``media.allow`` has them. ``limit`` is instead of
        ``max_down``.
        """
        from workers.media.fetching import fetched  # late: it needs aiohttp

        most = limit or self._max_down or self.directory.quota
        async with fetched(url, self.policy, self._proxy, most) as found:
            return await self.save(
                found.content,
                name=name or found.name,
                type=type or found.type,
                size=found.size,
                limit=most,
            )

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[StoredMedia]:
        """Open a file for reading: ``media:<id>``, or a file or URL that the policy allows.

        What lies behind an http or https address, or stands in a data URL, is stored first.
        Raises ``MediaFailed``.
        """
        if url.startswith(("http:", "https:")):
            url = (await self.fetch(url)).url
        elif url.startswith("data:"):
            said, content = content_of(url)
            url = (await self.save(content, type=said)).url
        found = media_id(url) or media_id(SCHEME + url)
        if found is not None:
            await self._ready()
            fd, about = await asyncio.to_thread(self.directory.open, found)
        elif url.startswith("file:"):
            fd = await asyncio.to_thread(open_allowed, url, self.policy)
            about = MediaAbout(clean_name(path_of(url)))
        else:
            raise MediaFailed(f"{url[:100]} is not a file of this account", reason="not_found")
        try:
            head = os.pread(fd, HEAD_BYTES, 0)
            yield StoredMedia(fd, about.name, best_type(about, head), os.fstat(fd).st_size)
        finally:
            os.close(fd)

    async def retain(self, url: str, seconds: float) -> None:
        """Keep a file of this store for at least ``seconds`` more, whatever else is stored."""
        if found := media_id(url):
            await asyncio.to_thread(self.directory.retain, found, seconds)

    async def remove(self, url: str) -> None:
        """Remove a file of this store, if it exists."""
        if found := media_id(url):
            await asyncio.to_thread(self.directory.remove, found)

    async def sweep(self) -> None:
        """Remove the expired files. Raises ``MediaFailed`` and ``OSError``."""
        await self._ready()
        if await asyncio.to_thread(self.directory.sweep):
            self._on_refusal("")

    async def _save(
        self, source: Any, about: MediaAbout, declared: int | None, most: int
    ) -> Attachment:
        await self._ready()
        directory, written, head = self.directory, 0, b""
        made, fd = await asyncio.to_thread(directory.create)
        whole = False
        reserved = 0
        try:
            async with aclosing(pieces(source)) as found:
                async for piece in found:
                    if written + len(piece) > most:
                        raise too_large(written + len(piece), most)
                    head = head or bytes(piece[:HEAD_BYTES])
                    await asyncio.to_thread(directory.reserve, len(piece))
                    reserved += len(piece)
                    await asyncio.to_thread(directory.write, fd, piece)
                    written += len(piece)
            if declared is not None and written < declared:
                raise MediaFailed(
                    f"only {written} of {declared} bytes of the file came", reason="unavailable"
                )
            about = MediaAbout(about.name, best_type(about, head))
            await asyncio.to_thread(directory.finish, made, fd, about, written)
            whole = True
        finally:
            os.close(fd)
            if not whole:
                directory.discard(made)
                directory.release(reserved)
        return Attachment(f"{SCHEME}{made}", about.mime_type, about.name, written)

    async def _ready(self) -> None:
        try:
            await asyncio.to_thread(self.directory.prepare)
        except OSError as error:
            raise failure_of(error) from None


async def pieces(source: Any) -> AsyncGenerator[bytes | bytearray, None]:
    """Yield the content of a source in pieces of ``PIECE`` bytes, the last one smaller.

    A source is bytes, a path, a file (or a stream with ``async read(size)``), or an asynchronous
    iterator of bytes. Raises ``TypeError`` for anything else, ``MediaFailed`` for a network that
    fails.
    """
    gathered = bytearray()
    async with aclosing(_read(source)) as parts:
        async for part in parts:
            gathered += part
            while len(gathered) >= PIECE:
                yield gathered[:PIECE]
                del gathered[:PIECE]
    if gathered:
        yield gathered


async def _read(source: Any) -> AsyncGenerator[Any, None]:
    if isinstance(source, bytes | bytearray | memoryview):
        for at in range(0, len(source), PIECE):
            yield source[at : at + PIECE]
    elif isinstance(source, Path):
        with await asyncio.to_thread(open, source, "rb") as file:
            while data := await asyncio.to_thread(file.read, PIECE):
                yield data
    elif inspect.iscoroutinefunction(getattr(source, "read", None)):
        while data := await source.read(PIECE):
            yield data
    elif callable(getattr(source, "read", None)):
        while data := await asyncio.to_thread(source.read, PIECE):
            yield data
    elif hasattr(source, "__aiter__"):
        async for data in source:
            yield data
    else:
        raise TypeError(
            f"a source must be bytes, a path, a file or an iterator, not {type(source)}"
        )


def best_type(about: MediaAbout, head: bytes) -> str:
    """Return the MIME type of a file: as declared, else by its first bytes, else by its name."""
    said = about.mime_type
    if said and said != UNKNOWN:
        return said
    return type_of_head(head) or mimetypes.guess_type(about.name or "")[0] or UNKNOWN


def too_large(size: int, most: int) -> MediaFailed:
    """Return the error for a file of ``size`` bytes or more, of which ``most`` are taken."""
    return MediaFailed(
        f"the file has {size} bytes or more, at most {most} are taken", reason="too_long"
    )
