"""Downloads the files of updates into the account's store.

The URL of a file contains the token; it never leaves ``BotApi``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from workers.channels.telegram.client import BotApi
from workers.channels.telegram.objects import RemoteFile
from workers.channels.telegram.refusals import ApiRefusal
from workers.messages import Attachment, Happened, Inbound
from workers.plugin import MediaFiles
from workers.web.faults import NoAnswer, Unreachable

MAX_DOWN = 20_000_000  # bytes: more the Bot API gives nobody
AT_ONCE = 4
TRIES = 3
PAUSE = 1.0  # seconds before the second try, then twice that

Sleep = Callable[[float], Awaitable[Any]]


class FileDownloads:
    """Downloads files for one bot; ``sleep`` waits between failed attempts."""

    def __init__(self, api: BotApi, media: MediaFiles, sleep: Sleep = asyncio.sleep) -> None:
        self._api = api
        self._media = media
        self._sleep = sleep
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring(self, found: list[Inbound | Happened]) -> list[Inbound | Happened]:
        """Return the messages with their files stored; a file that could not be says why."""
        return list(await asyncio.gather(*(self._bring(each) for each in found)))

    async def _bring(self, message: Inbound | Happened) -> Inbound | Happened:
        files = message.meta.get("media") if isinstance(message, Inbound) else None
        if not files:
            return message
        found = [await self._stored(each) for each in files]
        return msgspec.structs.replace(message, attachments=found)

    async def _stored(self, file: dict[str, Any]) -> Attachment:
        name, said, size = file.get("name"), file.get("mimeType"), file.get("sizeBytes")
        if size is not None and size > MAX_DOWN:
            why = f"Telegram gives bots no file of more than {MAX_DOWN} bytes"
            return self._media.missing(why, name=name, type=said, size=size)
        why = ""
        async with self._room:
            for number in range(TRIES):
                if number:
                    await self._sleep(PAUSE * number)
                try:
                    found = await self._api.call(
                        "getFile", {"file_id": file["fileId"]}, result=RemoteFile
                    )
                    async with self._api.download(found.file_path) as stream:
                        return await self._media.receive(
                            stream, name=name, type=said, size=found.file_size or size
                        )
                except ApiRefusal as error:
                    why = f"Telegram refuses the file: {error}"
                    if 400 <= error.code < 500 and error.code != 429:
                        break
                except (Unreachable, NoAnswer) as error:
                    why = f"the file could not be downloaded: {error}"
        return self._media.missing(why, name=name, type=said, size=size)
