"""Defines what a plugin or an agent may do with the files of messages: ``Context.media``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, BinaryIO, Protocol

from workers.messages import Attachment


class MediaReader(Protocol):
    """A file that is open for reading; ``size`` is in bytes."""

    name: str | None
    type: str
    size: int

    async def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes; all that are left for -1, b"" at the end."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file in pieces, from the beginning."""

    def binary(self) -> BinaryIO:
        """Return a file object at the beginning, for a library that needs one; close it."""


class MediaFiles(Protocol):
    """The files of the account's messages; docs/media.md has the rules.

    A ``source`` is bytes, a ``Path``, a file, a stream with ``async read(size)`` (``content`` of a
    response of aiohttp), or an asynchronous iterator of bytes. ``size`` is what the platform says.
    """

    async def save(
        self,
        source: Any,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
    ) -> Attachment:
        """Store a file; return it as ``media:<id>`` once it is safe. Raises ``MediaFailed``."""

    async def receive(
        self,
        source: Any,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
    ) -> Attachment:
        """Store a file of a message, as ``save``; where that fails, ``missing`` says why."""

    def missing(
        self,
        why: str,
        *,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
    ) -> Attachment:
        """Return the attachment of a file that cannot be had; ``why`` is for people."""

    async def fetch(
        self, url: str, *, name: str | None = None, type: str | None = None
    ) -> Attachment:
        """Download an address named by a remote user and store it; private addresses are refused.

        Raises ``MediaFailed``. For the platform's own servers use ``Context.http`` and ``save``.
        """

    def open(self, url: str) -> AbstractAsyncContextManager[MediaReader]:
        """Open ``media:<id>``, or an address that the policy lets be read.

        ``async with ctx.media.open(attachment.url) as file``. Raises ``MediaFailed``.
        """
