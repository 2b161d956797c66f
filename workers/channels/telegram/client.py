"""Calls the methods of the Bot API over HTTP.

The token is part of every URL, so no URL leaves this module, neither in an error nor in a log
line. Redirects are not followed: they could send the token elsewhere.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from ipc.nesting import MALFORMED, decode_json, require_shallow
from workers.channels.telegram.objects import ApiReply, Json
from workers.channels.telegram.refusals import ApiRefusal
from workers.web.api_calls import CALL_SECONDS, send_request
from workers.web.downloads import download_times
from workers.web.faults import TOO_LARGE, NoAnswer, Unreachable, fault_of, is_proxy_refusal

T = TypeVar("T")

# Made in the zygote: a type costs its first use 0.5 MiB, in each worker.
_reply = msgspec.json.Decoder(ApiReply)
_encode = msgspec.json.Encoder().encode


class Upload(msgspec.Struct, frozen=True):
    """A file to send in the form's ``field``; ``open`` is called for each attempt."""

    field: str
    name: str
    type: str
    open: Callable[[], BinaryIO]


class BotApi:
    """Calls the methods of one bot. ``root`` is the base URL of the server, without the token."""

    def __init__(self, session: aiohttp.ClientSession, root: str, token: str) -> None:
        self._session = session
        self._base = f"{root.rstrip('/')}/bot{token}/"
        self._files = f"{root.rstrip('/')}/file/bot{token}/"

    async def call(
        self,
        method: str,
        params: Json | None = None,
        *,
        result: type[T] = object,  # type: ignore[assignment]
        seconds: float = CALL_SECONDS,
        upload: Upload | None = None,
    ) -> T:
        """Call a method; return its result, decoded as ``result``.

        An ``upload`` is read while it is sent. Raises ``ApiRefusal``, ``Unreachable`` or
        ``NoAnswer``.
        """
        with nullcontext() if upload is None else upload.open() as file:
            data: aiohttp.Payload | aiohttp.FormData = _json(params or {})
            if upload is not None and file is not None:
                data = _form(params or {}, upload, file)
            status, _, content = await send_request(
                self._session, method, "POST", self._base + method, data=data, seconds=seconds
            )
        try:
            require_shallow(content)
            reply = _reply.decode(content)
        except MALFORMED:
            text = f"a response that is not from the Bot API (HTTP {status})"
            if is_proxy_refusal(status) and status != TOO_LARGE:
                raise Unreachable(f"{method}: {text}") from None
            code = status if status == TOO_LARGE else max(status, 500)
            raise ApiRefusal(method, code, text) from None
        if not reply.ok:
            code = reply.error_code or status
            raise ApiRefusal(method, code, reply.description, reply.parameters)
        try:
            return decode_json(reply.result, result)
        except MALFORMED as error:
            raise NoAnswer(f"{method}: the response cannot be parsed: {error}") from None

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Yield the content of a file, by the path that ``getFile`` gives.

        Raises ``ApiRefusal``, ``Unreachable`` or ``NoAnswer``, also while it is read.
        """
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise ApiRefusal("getFile", 400, "a path that is not of the server")
        address = URL(self._files + quote(path, safe="/"), encoded=True)
        try:
            async with self._session.get(
                address, timeout=download_times(), allow_redirects=False
            ) as response:
                if response.status != 200:
                    text = f"HTTP {response.status} for a file"
                    raise ApiRefusal("download", response.status, text)
                yield response.content
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise fault_of("download", error) from None


def _json(params: Json) -> aiohttp.Payload:
    return aiohttp.BytesPayload(_encode(params), content_type="application/json")


def _form(params: Json, upload: Upload, file: BinaryIO) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # else people see %20 in the name of the file
    for key, value in params.items():
        text = value if isinstance(value, str) else _encode(value).decode()
        form.add_field(key, text)
    form.add_field(upload.field, file, filename=upload.name, content_type=upload.type)
    return form
