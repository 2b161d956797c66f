"""Downloads the files of messages into the account's store.

Discord's addresses of files are signed and valid for a day.
"""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
from yarl import URL

from workers.channels.discord import manifest
from workers.messages import Attachment, Inbound
from workers.plugin import MediaFiles
from workers.web.downloads import (
    FileDownloads,
    FileFacts,
    FileNotGiven,
    Sleep,
    cut_off,
    download_times,
)


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
        self._schemes = ("https://",) if encrypted else ("https://", "http://")
        self._downloads = FileDownloads(media, manifest.media.max_down, sleep=sleep)

    async def download(self, message: Inbound) -> Inbound:
        """Return the message with its files stored; a file that could not be says why."""
        if not message.attachments:
            return message
        found = await asyncio.gather(*(self._stored(each) for each in message.attachments))
        return msgspec.structs.replace(message, attachments=list(found))

    async def _stored(self, file: Attachment) -> Attachment:
        facts = FileFacts(file.name, file.mime_type, file.size_bytes)
        return await self._downloads.stored(facts, lambda: self._fetched(file))

    async def _fetched(self, file: Attachment) -> Attachment:
        """Download and store a file. Raises ``FileNotGiven``."""
        if not file.url.startswith(self._schemes):
            raise FileNotGiven("its address is not one of Discord's")
        address = URL(file.url, encoded=True)
        try:
            async with self._http.get(
                address, timeout=download_times(), allow_redirects=False
            ) as response:
                if (status := response.status) != 200:
                    again = status == 429 or not 400 <= status < 500
                    raise FileNotGiven(f"Discord refuses the file: HTTP {status}", again=again)
                return await self._media.receive(
                    response.content, name=file.name, type=file.mime_type, size=file.size_bytes
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise cut_off(error) from None
