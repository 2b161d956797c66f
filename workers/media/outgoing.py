"""Copies the files of an outgoing message into the store before the plugin gets the message.

So a plugin never opens a path or an address that a person has put into a message, and never gets a
file that its platform does not take.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import PurePosixPath

import msgspec

from ipc.media import SCHEME, kind_of
from workers.errors import MediaFailed, SendFailed
from workers.media.data_urls import content_of
from workers.media.policy import path_of
from workers.media.store import MediaStore
from workers.messages import Attachment, Outbound
from workers.plugin import Media

LINKS = ("http", "https")
KEPT_SECONDS = 86_400.0  # longer than the gateway tries to send a message


class OutgoingFiles:
    """Prepares the files of messages for one channel; calls ``store`` when first needed."""

    def __init__(self, channel: str, media: Media, store: Callable[[], MediaStore]) -> None:
        self._channel = channel
        self._media = media
        self._store = store

    @asynccontextmanager
    async def ready(self, message: Outbound) -> AsyncIterator[Outbound]:
        """Yield ``message`` with its files as ``media:<id>``, checked against the manifest.

        What was copied for it goes again when it could not be sent. Raises ``MediaFailed``, and
        ``SendFailed`` for what the channel does not take.
        """
        copied: list[str] = []
        try:
            files = [await self._prepared(each, copied) for each in message.attachments]
            yield msgspec.structs.replace(message, attachments=files)
        except BaseException:
            for url in copied:
                with suppress(OSError):
                    await self._store().remove(url)
            raise

    async def _prepared(self, attachment: Attachment, copied: list[str]) -> Attachment:
        scheme = attachment.url.partition(":")[0].lower()
        if not self._media.send:
            if scheme in LINKS:
                return attachment
            raise SendFailed(
                f"channel {self._channel} takes no files, only links (http, https)",
                reason="unsupported",
            )
        store = self._store()
        if scheme != SCHEME.rstrip(":"):
            attachment = await self._copied(store, scheme, attachment)
            copied.append(attachment.url)
        await store.retain(attachment.url, KEPT_SECONDS)
        async with store.open(attachment.url) as file:
            refuse_unfit(self._channel, self._media, file.type, file.size)
            return Attachment(attachment.url, file.type, attachment.name or file.name, file.size)

    async def _copied(self, store: MediaStore, scheme: str, attachment: Attachment) -> Attachment:
        """Store the content of a URL, up to the size that the platform accepts."""
        url, name, said = attachment.url, attachment.name, attachment.mime_type
        most = self._media.max_up
        if scheme in LINKS:
            return await store.fetch(url, name=name, type=said, limit=most)
        if scheme == "file":
            named = name or PurePosixPath(path_of(url)).name
            async with store.open(url) as file:
                return await store.save(
                    file, name=named, type=said or file.type, size=file.size, limit=most
                )
        if scheme == "data":
            own, data = content_of(url)
            return await store.save(data, name=name, type=said or own, limit=most)
        raise MediaFailed(
            f"{url[:100]}: a file is given as media:ID, an http, https or data URL, or"
            " file:///PATH",
            reason="invalid",
        )


def refuse_unfit(channel: str, media: Media, type: str, size: int) -> None:
    """Raise ``SendFailed`` for a file whose kind or size the channel's manifest does not accept."""
    kind = kind_of(type)
    if kind not in media.send and "file" not in media.send:
        takes = ", ".join(sorted(media.send))
        raise SendFailed(f"channel {channel} takes {takes}, not {type}", reason="unsupported")
    if media.max_up and size > media.max_up:
        raise SendFailed(
            f"a file of {size} bytes: channel {channel} takes {media.max_up} at most",
            reason="too_long",
        )
