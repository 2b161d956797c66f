"""Downloads the files of messages into the account's store.

Downloading a file needs the bot's token. So the token is sent only to Slack's own hosts, and no
address of a file leaves the worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from yarl import URL

from workers.channels.slack.client import CONNECT_SECONDS, WebApi
from workers.channels.slack.objects import FileReply, SlackFile
from workers.channels.slack.refusals import SlackRefusal
from workers.messages import Attachment
from workers.plugin import MediaFiles
from workers.web.faults import NoAnswer, Unreachable, why

MAX_DOWN = 100_000_000  # bytes; people may upload ten times that
AT_ONCE = 4
TRIES = 3
PAUSE = 1.0  # seconds before the second try, then twice that
DOWNLOAD_SECONDS = 120.0
SILENT_SECONDS = 30.0  # without a byte
LOOK_UP = "check_file_info"  # a file of another workspace: only files.info has its address

Sleep = Callable[[float], Awaitable[Any]]


class FileNotGiven(Exception):
    """A file could not be downloaded; the text says why. ``again``: another attempt may succeed."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again


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
        self._sleep = sleep
        self._room = asyncio.Semaphore(AT_ONCE)

    async def bring(self, files: Sequence[SlackFile]) -> list[Attachment]:
        """Return the stored files of a message; one that could not be downloaded says why."""
        return list(await asyncio.gather(*map(self._stored, files)))

    async def _stored(self, file: SlackFile) -> Attachment:
        known: dict[str, Any] = {"name": file.name, "type": file.mimetype, "size": file.size}
        text = ""
        if (file.size or 0) > MAX_DOWN:
            text = f"a file of more than {MAX_DOWN} bytes is not downloaded"
            return self._media.missing(text, **known)
        async with self._room:
            for number in range(TRIES):
                if number:
                    await self._sleep(PAUSE * number)
                try:
                    return await self._fetched(file, known)
                except FileNotGiven as error:
                    text = str(error)
                    if not error.again:
                        break
        return self._media.missing(text, **known)

    async def _fetched(self, file: SlackFile, known: dict[str, Any]) -> Attachment:
        """Download and store a file. Raises ``FileNotGiven``."""
        if file.file_access == LOOK_UP:
            file = await self._looked_up(file)
            known.update(name=file.name, type=file.mimetype, size=file.size)
        address = slack_address(file.url_private_download or file.url_private or "", self._root)
        if address is None:
            raise FileNotGiven("Slack gives no address of its own for the file")
        limits = aiohttp.ClientTimeout(
            total=DOWNLOAD_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        )
        try:
            async with self._http.get(
                address, headers=self._api.bearer, timeout=limits, allow_redirects=False
            ) as response:
                refuse_other_than_file(response, file.mimetype)
                return await self._media.receive(response.content, **known)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            text = f"the file could not be downloaded: {why(error)}"
            raise FileNotGiven(text, again=True) from None

    async def _looked_up(self, file: SlackFile) -> SlackFile:
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
