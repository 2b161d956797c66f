"""Downloads the files of messages into the account's store.

Discord's addresses of files are signed and valid for a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from workers.messages import Attachment, Inbound
from workers.plugin import MediaFiles
from workers.web.faults import why

MAX_DOWN = 25_000_000  # bytes; people with a subscription may send twenty times that
AT_ONCE = 4
TRIES = 3
PAUSE = 1.0  # seconds before the second try, then twice that
DOWNLOAD_SECONDS = 120.0
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 30.0  # without a byte

Sleep = Callable[[float], Awaitable[Any]]


class AttachedFiles:
    """Downloads files for one bot; ``encrypted``: only over https. ``sleep`` waits between tries.

    No token is sent: the address is sufficient.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        media: MediaFiles,
        *,
        encrypted: bool,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._media = media
        self._schemes = ("https",) if encrypted else ("https", "http")
        self._sleep = sleep
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring(self, message: Inbound) -> Inbound:
        """Return the message with its files stored; a file that could not be says why."""
        if not message.attachments:
            return message
        found = await asyncio.gather(*(self._stored(each) for each in message.attachments))
        return msgspec.structs.replace(message, attachments=list(found))

    async def _stored(self, file: Attachment) -> Attachment:
        known: dict[str, Any] = {
            "name": file.name,
            "type": file.mime_type,
            "size": file.size_bytes,
        }
        if (file.size_bytes or 0) > MAX_DOWN:
            text = f"a file of more than {MAX_DOWN} bytes is not downloaded"
            return self._media.missing(text, **known)
        if not file.url.startswith(tuple(f"{each}://" for each in self._schemes)):
            return self._media.missing("its address is not one of Discord's", **known)
        text = ""
        async with self._room:
            for number in range(TRIES):
                if number:
                    await self._sleep(PAUSE * number)
                try:
                    async with self._http.get(
                        URL(file.url, encoded=True),
                        timeout=aiohttp.ClientTimeout(
                            DOWNLOAD_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
                        ),
                        allow_redirects=False,
                    ) as response:
                        if response.status == 200:
                            return await self._media.receive(response.content, **known)
                        text = f"Discord refuses the file: HTTP {response.status}"
                        if 400 <= response.status < 500 and response.status != 429:
                            break
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    text = f"the file could not be downloaded: {why(error)}"
        return self._media.missing(text, **known)
