"""Replaces bytes that are no text in the headers of requests.

aiohttp hides a byte that is not UTF-8 in half a surrogate pair, which no JSON, no database and no
answer can carry. It is replaced and not refused: proxies add headers that are nobody's concern here
(a city in ISO 8859-1, say). An address with such a byte aiohttp refuses itself.
"""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from runtime.gateway.http.ingress_heads import readable


def readable_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """Return a request whose headers are text: the library's factory of requests."""
    given = message.headers
    if not all(map(str.isascii, given.values())):
        found = CIMultiDict((name, readable(value)) for name, value in given.items())
        message = message._replace(headers=CIMultiDictProxy(found))
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())
