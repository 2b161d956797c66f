"""Downloads the files of messages into the account's store, each in several attempts.

What a platform's file is, and where it is, only its channel knows: it brings a function that
downloads one file and stores it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from workers.messages import Attachment
from workers.plugin import MediaFiles
from workers.web.faults import why

AT_ONCE = 4  # files of one account
TRIES = 3
PAUSE = 1.0  # seconds before the second try, then twice that
CONNECT_SECONDS = 10.0
DOWNLOAD_SECONDS = 120.0
SILENT_SECONDS = 30.0  # without a byte

Sleep = Callable[[float], Awaitable[Any]]


class FileNotGiven(Exception):
    """A file could not be downloaded; the text says why. ``again``: another attempt may succeed."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


class FileFacts(msgspec.Struct):
    """The platform's description of a file. A download may correct it."""

    name: str | None
    type: str | None
    size: int | None


class FileDownloads:
    """Downloads files for one account, some at the same time.

    A file of more than ``max_bytes`` is not downloaded: it is ``too_large``. ``sleep`` waits
    between attempts.
    """

    def __init__(
        self,
        media: MediaFiles,
        max_bytes: int,
        *,
        too_large: str = "a file of more than {} bytes is not downloaded",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._media = media
        self._max_bytes = max_bytes
        self._too_large = too_large.format(max_bytes)
        self._sleep = sleep
        self._room = asyncio.Semaphore(AT_ONCE)

    async def stored(
        self, facts: FileFacts, fetch: Callable[[], Awaitable[Attachment]]
    ) -> Attachment:
        """Return a file once ``fetch`` has stored it; one that could not be had says why.

        ``fetch`` raises ``FileNotGiven``.
        """
        text = self._too_large
        if (facts.size or 0) <= self._max_bytes:
            async with self._room:
                for number in range(TRIES):
                    if number:
                        await self._sleep(PAUSE * number)
                    try:
                        return await fetch()
                    except FileNotGiven as error:
                        text = str(error)
                        if not error.again:
                            break
        return self._media.missing(text, name=facts.name, type=facts.type, size=facts.size)


def download_times() -> aiohttp.ClientTimeout:
    """Return the time limits of a request for a file."""
    return aiohttp.ClientTimeout(
        total=DOWNLOAD_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
    )


def cut_off(error: BaseException) -> FileNotGiven:
    """Return what a download raises that ended with an error of the connection."""
    return FileNotGiven(f"the file could not be downloaded: {why(error)}", again=True)
