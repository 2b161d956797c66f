"""Reads the bodies of responses within a bound."""

from __future__ import annotations

import aiohttp


async def read_at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return a body, or its beginning once ``limit`` bytes have come.

    One read returns what has arrived: a larger body comes in several.
    """
    body = await content.read(limit)
    while len(body) < limit and (more := await content.readany()):
        body += more
    return body
