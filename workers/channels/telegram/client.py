"""Call the methods of the Bot API over HTTP.

The token is part of every address, so no address leaves this module: not in an error, not in a
log line. Redirects are not followed, because they would carry the token elsewhere.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - a first connection imports it: 1.3 MiB in each worker
from typing import TypeVar

import aiohttp
import msgspec

from ipc.nesting import MALFORMED, decode_json, require_shallow
from workers.channels.http_faults import NoAnswer, fault_of
from workers.channels.telegram.objects import ApiReply, Json
from workers.channels.telegram.refusals import ApiRefusal

T = TypeVar("T")

MAX_BODY = 16 * 1024 * 1024  # bytes; an answer with 100 updates has less than one of them
CONNECT_SECONDS = 10.0
CALL_SECONDS = 30.0

# Made in the zygote: a type costs its first use 0.5 MiB, in each worker.
_reply = msgspec.json.Decoder(ApiReply)
_encode = msgspec.json.Encoder().encode


class BotApi:
    """The methods of one bot. ``root`` is the server's address, without the token."""

    def __init__(self, session: aiohttp.ClientSession, root: str, token: str) -> None:
        self._session = session
        self._base = f"{root.rstrip('/')}/bot{token}/"

    async def call(
        self,
        method: str,
        params: Json | None = None,
        *,
        result: type[T] = object,  # type: ignore[assignment]
        seconds: float = CALL_SECONDS,
        upload: tuple[str, str, bytes] | None = None,
    ) -> T:
        """Call a method; return its result, decoded as ``result``.

        ``upload`` is the name of a field, of a file, and its content. Raises ``ApiRefusal``,
        ``Unreachable`` or ``NoAnswer``.
        """
        data: aiohttp.Payload | aiohttp.FormData = _json(params or {})
        if upload is not None:
            data = _form(params or {}, *upload)
        status, content = await self._post(method, seconds, data)
        try:
            require_shallow(content)
            reply = _reply.decode(content)
        except MALFORMED:
            text = f"an answer that is not of the Bot API (HTTP {status})"
            raise ApiRefusal(method, max(status, 500), text) from None
        if not reply.ok:
            code = reply.error_code or status
            raise ApiRefusal(method, code, reply.description, reply.parameters)
        try:
            return decode_json(reply.result, result)
        except MALFORMED as error:
            raise NoAnswer(f"{method}: an answer that is not understood: {error}") from None

    async def _post(
        self, method: str, seconds: float, data: aiohttp.Payload | aiohttp.FormData
    ) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._session.post(
                self._base + method,
                data=data,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                content = await response.content.read(MAX_BODY)
                while len(content) < MAX_BODY and (more := await response.content.readany()):
                    content += more
                return response.status, content
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise fault_of(method, error) from None


def _json(params: Json) -> aiohttp.Payload:
    return aiohttp.BytesPayload(_encode(params), content_type="application/json")


def _form(params: Json, field: str, name: str, content: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for key, value in params.items():
        text = value if isinstance(value, str) else _encode(value).decode()
        form.add_field(key, text)
    form.add_field(field, content, filename=name)
    return form
