"""Reads the JSON bodies of requests to the gateway's own API, bounded in size, time and memory."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ipc import timeouts
from ipc.nesting import (
    MALFORMED,
    decode_json,
    decode_shallow,
    has_more_values,
    require_shallow,
)
from runtime.gateway.http.api_refusals import HttpRefusal, busy, too_large
from runtime.gateway.http.ingress_bodies import send_continue
from runtime.gateway.http.ingress_heads import BadHead

BODY_SECONDS = 10.0  # in which a body has to arrive,
BYTES_PER_SECOND = 256 * 1024  # and for each of so many bytes a second more
MAX_HELD_BYTES = 32 * 1024 * 1024  # of all bodies that are being read
MAX_VALUES = 200_000  # of a body: decoded, 20 MiB beside its text
LARGE_BYTES = 64 * 1024  # of larger ones the loop decodes one in a turn: 1 MiB takes a millisecond


class JsonBodies:
    """The bodies being read; ``held`` is their size in bytes."""

    def __init__(self) -> None:
        self.held = 0
        self._decoding = asyncio.Lock()  # of large ones
        self._clock = asyncio.get_running_loop().time

    async def read(self, request: web.BaseRequest, most: int, field: str) -> object:
        """Return the JSON of a body of at most ``most`` bytes, a limit that ``field`` configures.

        Raises ``HttpRefusal``.
        """
        text = f"a body has at most {most} bytes here; {field} allows more"
        if (request.content_length or 0) > most:
            raise too_large(text)
        try:
            await send_continue(request)
        except BadHead as error:
            raise HttpRefusal(error.status, str(error)) from None
        parts: list[bytes] = []
        size = 0
        try:
            async with timeouts.timeout(BODY_SECONDS) as limit:
                began = self._clock()
                while part := await request.content.readany():
                    size += len(part)
                    self.held += len(part)
                    if size > most:
                        raise too_large(text)
                    if self.held > MAX_HELD_BYTES:
                        raise busy("too many bodies are being read; try again in a moment")
                    limit.reschedule(began + BODY_SECONDS + size / BYTES_PER_SECOND)
                    parts.append(part)
            return await self._decoded(parts, size)
        except TimeoutError:
            raise HttpRefusal(408, "the body has not come in time") from None
        except (web.RequestPayloadError, ConnectionError):
            raise HttpRefusal(400, "the body is malformed") from None
        except MALFORMED as error:
            raise HttpRefusal(400, f"the body is no JSON: {error}") from None
        finally:
            self.held -= size

    async def _decoded(self, parts: list[bytes], size: int) -> object:
        """Return the JSON in the parts of a body. Of large ones one is decoded at a time, each step
        in a loop iteration of its own: new memory is dear to fill.
        """
        if size < LARGE_BYTES:
            return decode_json(b"".join(parts))
        async with self._decoding:
            try:
                body = b"".join(parts)
                parts.clear()
                await asyncio.sleep(0)
                require_shallow(body)
                await asyncio.sleep(0)
                if has_more_values(body, MAX_VALUES):
                    raise too_large(f"a body has at most {MAX_VALUES} values")
                await asyncio.sleep(0)
                return decode_shallow(body)
            finally:
                await asyncio.sleep(0)
