"""Uploads files from the account's store to Slack, as streams.

A file is uploaded to a URL that Slack creates for it, and nobody sees it before its message is
completed. So if anything fails here, nothing was sent. The URL is a ticket: no error contains it,
and the bot's token is not sent to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from yarl import URL

from ipc import timeouts
from workers.channels.slack.client import WebApi
from workers.channels.slack.objects import FileReply, Json, SlackFile, UploadPlace
from workers.channels.slack.refusals import SlackRefusal
from workers.errors import SendFailed
from workers.messages import Attachment
from workers.plugin import MediaFiles, MediaReader
from workers.web.api_calls import CONNECT_SECONDS
from workers.web.faults import NoAnswer, Unreachable, why

UPLOAD_SECONDS = 80.0  # for all files of a message: a call has 120 s, with what follows
CHECK_PAUSES = (0.0, 0.5, 1.0)  # seconds before each lookup of a file's message

Sleep = Callable[[float], Awaitable[Any]]


class SlackUploads:
    """Uploads files for one bot; ``sleep`` waits between lookups."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        api: WebApi,
        media: MediaFiles,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._api = api
        self._media = media
        self._sleep = sleep

    async def upload(self, attachments: Sequence[Attachment]) -> list[Json]:
        """Upload stored files; return their references for completing the message.

        Raises ``SendFailed``, ``SlackRefusal``, ``Unreachable`` or ``NoAnswer``; nothing was sent.
        """
        try:
            async with timeouts.timeout(UPLOAD_SECONDS):
                return [await self._upload(each) for each in attachments]
        except TimeoutError:
            text = f"the files were not uploaded within {UPLOAD_SECONDS:g} s"
            raise SendFailed(text, reason="unavailable") from None

    async def _upload(self, attachment: Attachment) -> Json:
        async with self._media.open(attachment.url) as file:
            name = attachment.name or file.name or "file"
            place = await self._api.call(
                "files.getUploadURLExternal",
                {"filename": name, "length": file.size},
                result=UploadPlace,
            )
            status = await self._post(place.upload_url, file)
        if status != 200:
            passing = status == 429 or status >= 500
            raise SendFailed(
                f"Slack refuses the file (HTTP {status})",
                reason="unavailable" if passing else "invalid",
            )
        return {"id": place.file_id, "title": name}

    async def _post(self, address: str, file: MediaReader) -> int:
        # With its length, or aiohttp would send the file in chunks.
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(file.size),
        }
        limits = aiohttp.ClientTimeout(total=UPLOAD_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with self._http.post(
                URL(address, encoded=True),
                data=file,
                headers=headers,
                timeout=limits,
                allow_redirects=False,
            ) as response:
                return response.status
        except (aiohttp.ClientError, OSError, ValueError) as error:
            text = f"the file was not uploaded: {why(error)}"
            raise SendFailed(text, reason="unavailable") from None

    async def message_of(self, file: SlackFile, channel: str) -> str | None:
        """Return the ``ts`` of the message that shared a file in a channel.

        Slack creates that message a moment after it has answered; ``None``: not within the waits.
        """
        for pause in CHECK_PAUSES:
            if ts := file.shared_in(channel):
                return ts
            await self._sleep(pause)
            try:
                reply = await self._api.call("files.info", {"file": file.id}, result=FileReply)
            except (SlackRefusal, Unreachable, NoAnswer):
                return None  # the message was sent all the same
            file = reply.file
        return file.shared_in(channel)
