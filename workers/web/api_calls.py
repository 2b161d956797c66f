"""Sends one request to the API of a platform, and reads the response within its bounds.

Redirects are not followed: they could send a token to other servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from workers.web.faults import fault_of

MAX_BODY = 16 * 1024 * 1024  # bytes; a page of 200 messages has less than one of them
CONNECT_SECONDS = 10.0
CALL_SECONDS = 30.0


async def send_request(
    session: aiohttp.ClientSession,
    call: str,
    method: str,
    url: str | URL,
    *,
    data: Any,
    seconds: float = CALL_SECONDS,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, CIMultiDictProxy[str], bytes]:
    """Send a request; return the status, the headers and the body of its response.

    ``call`` names it in errors. Raises ``Unreachable`` or ``NoAnswer``.
    """
    try:
        async with session.request(
            method,
            url,
            params=query,
            data=data,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
            allow_redirects=False,
        ) as response:
            content = await read_at_most(response.content, MAX_BODY)
            return response.status, response.headers, content
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise fault_of(call, error) from None


async def read_at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return a body, or its beginning once ``limit`` bytes have come.

    One read returns what has arrived: a larger body comes in several.
    """
    body = await content.read(limit)
    while len(body) < limit and (more := await content.readany()):
        body += more
    return body
