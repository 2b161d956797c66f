"""Downloads the files of messages into the account's store.

Downloading a file needs the bot's token. So the token is sent only to Slack's own hosts, and no
address of a file leaves the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
from yarl import URL

from workers.channels.slack import manifest
from workers.channels.slack.client import WebApi
from workers.channels.slack.objects import FileReply, SlackFile
from workers.channels.slack.refusals import SlackRefusal
from workers.messages import Attachment
from workers.plugin import MediaFiles
from workers.web.downloads import (
    FileDownloads,
    FileFacts,
    FileNotGiven,
    Sleep,
    cut_off,
    download_times,
)
from workers.web.faults import NoAnswer, Unreachable

LOOK_UP = "check_file_info"  # a file of another workspace: only files.info has its address


class SlackDownloads:
    """Downloads files for one bot. ``root`` is the API server, which may also get the token.

    ``sleep`` waits between tries.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        api: WebApi,
        media: MediaFiles,
        root: str,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._api = api
        self._media = media
        self._root = URL(root)
        self._downloads = FileDownloads(media, manifest.media.max_down, sleep=sleep)

    async def download(self, files: Sequence[SlackFile]) -> list[Attachment]:
        """Return the stored files of a message; one that could not be downloaded says why."""
        return list(await asyncio.gather(*map(self._stored, files)))

    async def _stored(self, file: SlackFile) -> Attachment:
        facts = FileFacts(file.name, file.mimetype, file.size)
        return await self._downloads.stored(facts, lambda: self._fetched(file, facts))

    async def _fetched(self, file: SlackFile, facts: FileFacts) -> Attachment:
        """Download and store a file. Raises ``FileNotGiven``."""
        if file.file_access == LOOK_UP:
            file = await self._resolve(file)
            facts.name, facts.type, facts.size = file.name, file.mimetype, file.size
        address = slack_address(file.url_private_download or file.url_private or "", self._root)
        if address is None:
            raise FileNotGiven("Slack gives no address of its own for the file")
        try:
            async with self._http.get(
                address, headers=self._api.bearer, timeout=download_times(), allow_redirects=False
            ) as response:
                refuse_other_than_file(response, file.mimetype)
                return await self._media.receive(
                    response.content, name=file.name, type=file.mimetype, size=file.size
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise cut_off(error) from None

    async def _resolve(self, file: SlackFile) -> SlackFile:
        try:
            found = await self._api.call("files.info", {"file": file.id}, result=FileReply)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            again = not isinstance(error, SlackRefusal) or error.retry_after is not None
            raise FileNotGiven(f"Slack refuses the file: {error}", again=again) from None
        return found.file


def refuse_other_than_file(response: aiohttp.ClientResponse, type: str | None) -> None:
    """Raise ``FileNotGiven`` if a response is not the file, whose type is ``type``.

    A token that may not read the file is redirected to the login page, or gets that page.
    """
    status = response.status
    page = response.content_type == "text/html" and type != "text/html"
    if status == 200 and not page:
        return
    if page or 300 <= status < 400 or status in (401, 403):
        raise FileNotGiven(
            f"Slack refuses the file (HTTP {status}): the botToken needs the scope files:read"
        )
    again = status == 429 or status >= 500
    raise FileNotGiven(f"Slack refuses the file: HTTP {status}", again=again)


def slack_address(address: str, root: URL) -> URL | None:
    """Return a URL to which the bot's token may be sent; ``None`` for any other.

    Allowed are ``root`` and, over https, Slack's hosts.
    """
    try:
        url = URL(address, encoded=True)
        if not url.host or url.raw_user is not None:
            return None
        own = (url.scheme, url.host, url.port) == (root.scheme, root.host, root.port)
        slack = url.scheme == "https" and url.port == 443 and url.host.endswith(".slack.com")
    except ValueError:
        return None
    return url if own or slack else None
