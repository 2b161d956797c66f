"""Downloads the files of updates into the account's store.

The URL of a file contains the token; it never leaves ``BotApi``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from workers.channels.telegram import manifest
from workers.channels.telegram.client import BotApi
from workers.channels.telegram.objects import RemoteFile
from workers.channels.telegram.refusals import ApiRefusal
from workers.messages import Attachment, Happened, Inbound
from workers.plugin import MediaFiles
from workers.web.downloads import FileDownloads, FileFacts, FileNotGiven, Sleep
from workers.web.faults import NoAnswer, Unreachable

TOO_LARGE = "Telegram gives bots no file of more than {} bytes"


class TelegramDownloads:
    """Downloads files for one bot; ``sleep`` waits between failed attempts."""

    def __init__(self, api: BotApi, media: MediaFiles, sleep: Sleep = asyncio.sleep) -> None:
        self._api = api
        self._media = media
        self._downloads = FileDownloads(
            media, manifest.media.max_down, too_large=TOO_LARGE, sleep=sleep
        )

    async def download(self, found: list[Inbound | Happened]) -> list[Inbound | Happened]:
        """Return the messages with their files stored; a file that could not be says why."""
        return list(await asyncio.gather(*(self._download(each) for each in found)))

    async def _download(self, message: Inbound | Happened) -> Inbound | Happened:
        files = message.meta.get("media") if isinstance(message, Inbound) else None
        if not files:
            return message
        found = [await self._stored(each) for each in files]
        return msgspec.structs.replace(message, attachments=found)

    async def _stored(self, file: dict[str, Any]) -> Attachment:
        facts = FileFacts(file.get("name"), file.get("mimeType"), file.get("sizeBytes"))
        return await self._downloads.stored(facts, lambda: self._fetched(file["fileId"], facts))

    async def _fetched(self, id: str, facts: FileFacts) -> Attachment:
        """Download and store a file. Raises ``FileNotGiven``."""
        try:
            found = await self._api.call("getFile", {"file_id": id}, result=RemoteFile)
            async with self._api.download(found.file_path) as stream:
                return await self._media.receive(
                    stream, name=facts.name, type=facts.type, size=found.file_size or facts.size
                )
        except ApiRefusal as error:
            again = error.code == 429 or not 400 <= error.code < 500
            raise FileNotGiven(f"Telegram refuses the file: {error}", again=again) from None
        except (Unreachable, NoAnswer) as error:
            text = f"the file could not be downloaded: {error}"
            raise FileNotGiven(text, again=True) from None
