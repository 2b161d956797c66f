"""Calls Discord's API over HTTP, within its rate limits.

The token is sent in a header. Redirects are not followed: they could send it to other servers.
"""

from __future__ import annotations

import asyncio
import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from multidict import CIMultiDictProxy
from yarl import URL

from ipc.nesting import MALFORMED, decode_json
from workers.channels.discord.objects import ApiError, Json
from workers.channels.discord.rate_limits import RateLimits, seconds_of
from workers.channels.discord.refusals import DiscordRefusal
from workers.web.api_calls import CALL_SECONDS, send_request
from workers.web.faults import TOO_LARGE, NoAnswer, Unreachable, fault_of, is_proxy_refusal
from workers.web.retry_after import bounded

T = TypeVar("T")

VERSION = "/api/v10"
UPLOAD_SECONDS = 120.0
# So long a request waits here for its turn, the reset of a usual bucket; beyond, it is refused.
WAIT_HERE = 5.0
DEFAULT_RETRY = 1.0  # where a refusal for the rate does not say when
RATE_LIMITED = 429
FOREIGN = "a response that is not from the API"
# Without one of this form Discord answers 403. The project has no page to name (RFC 2606).
AGENT = "DiscordBot (https://trunkline.invalid, 0)"

_encode = msgspec.json.Encoder().encode


class DiscordUpload(msgspec.Struct, frozen=True):
    """A file to upload with a request; ``open`` is called when it is sent."""

    name: str
    mime_type: str
    open: Callable[[], BinaryIO]


class DiscordApi:
    """The API requests of one bot. ``root`` is the base URL of the server."""

    def __init__(self, session: aiohttp.ClientSession, root: str, token: str) -> None:
        self._session = session
        self._base = root.rstrip("/") + VERSION
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": AGENT}
        self._limits = RateLimits()
        self._now = asyncio.get_running_loop().time

    async def call(
        self,
        route: str,
        *parts: str,
        body: Json | None = None,
        query: Json | None = None,
        result: type[T] = object,  # type: ignore[assignment]
        uploads: Sequence[DiscordUpload] = (),
    ) -> T:
        """Request ``route``, with ``parts`` in its placeholders; return the result.

        A route is a method and a path, ``GET /channels/{}``; the first part is what Discord
        divides its limits by. Raises ``DiscordRefusal``, ``Unreachable`` or ``NoAnswer``.
        """
        major = parts[0] if parts else ""
        await self._wait(route, major)
        status, headers, content = await self._request(route, parts, body, query, uploads)
        self._limits.on_response(route, major, headers, self._now())
        if status >= 300:
            raise self._refused(route, major, status, headers, content)
        if not content:
            content = b"null"
        try:
            return decode_json(content, result)
        except MALFORMED as error:
            raise NoAnswer(f"{route}: the response cannot be parsed: {error}") from None

    async def _wait(self, route: str, major: str) -> None:
        """Wait until the rate limits allow the request; raise ``DiscordRefusal`` if too long."""
        last = self._now() + WAIT_HERE
        while wait := self._limits.delay(route, major, self._now()):
            if self._now() + wait > last:
                text = "its rate limit is used up"
                raise DiscordRefusal(route, RATE_LIMITED, text=text, retry_after=wait)
            await asyncio.sleep(wait)

    async def _request(
        self,
        route: str,
        parts: Sequence[str],
        body: Json | None,
        query: Json | None,
        uploads: Sequence[DiscordUpload],
    ) -> tuple[int, CIMultiDictProxy[str], bytes]:
        method, _, path = route.partition(" ")
        address = self._base + path.format(*(quote(part, safe="") for part in parts))
        seconds = UPLOAD_SECONDS if uploads else CALL_SECONDS
        with ExitStack() as opened:
            try:
                files = [opened.enter_context(each.open()) for each in uploads]
            except OSError as error:
                raise fault_of(route, error) from None
            return await send_request(
                self._session,
                route,
                method,
                URL(address, encoded=True),
                data=_body(body, uploads, files),
                seconds=seconds,
                query=query,
                headers=self._headers,
            )

    def _refused(
        self,
        route: str,
        major: str,
        status: int,
        headers: CIMultiDictProxy[str],
        content: bytes,
    ) -> DiscordRefusal:
        """Return the refusal in a response; raises ``Unreachable`` for that of a proxy."""
        try:
            error = decode_json(content, ApiError)
        except MALFORMED:  # the page of a proxy
            error = ApiError(FOREIGN)
            if is_proxy_refusal(status) and status not in (TOO_LARGE, RATE_LIMITED):
                raise Unreachable(f"{route}: {FOREIGN} (HTTP {status})") from None
        if status != RATE_LIMITED:
            return DiscordRefusal(route, status, error.code, error.message)
        header = seconds_of(headers.get("Retry-After"))
        after = error.retry_after if error.retry_after is not None else header
        after = DEFAULT_RETRY if after is None else bounded(after)
        everywhere = error.everywhere or headers.get("X-RateLimit-Scope") == "global"
        self._limits.on_refused(route, major, after, self._now(), everywhere=everywhere)
        return DiscordRefusal(
            route, status, error.code, error.message, retry_after=after, everywhere=everywhere
        )


def _body(
    body: Json | None, uploads: Sequence[DiscordUpload], files: Sequence[BinaryIO]
) -> aiohttp.Payload | aiohttp.FormData | None:
    if not uploads:
        if body is None:
            return None
        return aiohttp.BytesPayload(_encode(body), content_type="application/json")
    form = aiohttp.FormData(quote_fields=False)  # Discord shows names as they are sent
    text = _encode(body or {}).decode()
    form.add_field("payload_json", text, content_type="application/json")
    for number, (each, file) in enumerate(zip(uploads, files, strict=True)):
        field = f"files[{number}]"
        form.add_field(field, file, filename=each.name, content_type=each.mime_type)
    return form
