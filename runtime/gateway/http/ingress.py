"""Passes HTTP requests below ``/channels/`` on to the plugins of accounts.

No secret of the gateway is asked for: whether a request is genuine, the plugin decides. What cannot
be passed on is refused before its body is read.
"""

from __future__ import annotations

import asyncio
import math

from aiohttp import HttpVersion11, web

from ipc import timeouts
from ipc.errors import CallTimeout, IpcError
from ipc.frames.data import HttpAnswer
from runtime.gateway.accounts.http_bounds import Crowded, HttpPlace, too_slow
from runtime.gateway.accounts.http_calls import IngressRequest
from runtime.gateway.http.ingress_heads import (
    METHODS,
    PART_OF_A_PAGE,
    SAFETY,
    BadHead,
    Target,
    answer_headers,
    read_target,
    readable,
    request_headers,
)
from runtime.gateway.parts import GatewayParts

BODY_SECONDS = 10.0  # in which a body has to arrive
RETRY_SECONDS = 5  # after which a request to an account that does not run may come again
START_SECONDS = 1  # and one to a gateway that does not know its accounts yet
BODILESS = (204, 304)  # statuses without a body


class Ingress:
    """The HTTP requests to the accounts of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._accounts = parts.accounts
        self._readiness = parts.readiness
        self._calls = parts.http_calls
        self._bounds = parts.http_calls.bounds
        self._clock = asyncio.get_running_loop().time

    async def answer(self, request: web.BaseRequest, remote: str) -> web.Response:
        """Answer a request of the client with the address ``remote``."""
        try:
            target = read_target(request.rel_url.raw_path)
            made = self._made(request, target, remote)
            return await self._admitted(request, made)
        except BadHead as error:
            return _refused(error.status, str(error), request)
        except Crowded as error:
            self._bounds.count_refusal(error.reason)
            return _refused(503, str(error), request, retry_after=error.retry_after)

    def _made(self, request: web.BaseRequest, target: Target, remote: str) -> IngressRequest:
        """Return what goes to the plugin, without the body; raises ``BadHead`` and ``Crowded``."""
        row = self._accounts.rows.get(target.key)
        if row is None and not self._readiness.informed:  # 404 would end a platform's tries
            raise Crowded("not running", "the gateway is starting", START_SECONDS)
        if row is None or not row.ingress:
            raise BadHead(404, "no account takes HTTP requests here")
        if request.method not in METHODS:
            raise BadHead(405, f"allowed: {', '.join(METHODS)}")
        if request.headers.get("Sec-Fetch-Dest") in PART_OF_A_PAGE:
            raise BadHead(403, "nothing here is part of a page")
        query = readable(request.rel_url.raw_query_string)
        headers = request_headers(request.headers.items(), target.path, query)
        if (request.content_length or 0) > self._bounds.config.max_bytes:
            raise self._too_large()
        if not self._accounts.takes_http(target.key):
            raise Crowded("not running", "the account does not run now", RETRY_SECONDS)
        return IngressRequest(target.key, request.method, target.path, query, headers, remote)

    async def _admitted(self, request: web.BaseRequest, made: IngressRequest) -> web.Response:
        place = self._bounds.enter(made.key, request.content_length or 0, self._clock())
        try:
            peer = await self._calls.meet(made.key)
            body = await self._body(request, place)
            answer = await self._calls.call(peer, made, body, place)
        except CallTimeout:
            self._bounds.count_refusal("timeout")
            text = f"the account has not answered within {self._bounds.config.within_seconds:g} s"
            return _refused(504, text, request)
        except IpcError:
            raise Crowded("not running", "the account cannot be reached now", 1) from None
        finally:
            place.release()
        return _response(answer, request)

    async def _body(self, request: web.BaseRequest, place: HttpPlace) -> bytes:
        """Read the body; raises ``BadHead`` when it is too large or too slow, and ``Crowded``."""
        if not request.can_read_body:
            return b""
        expected = request.headers.get("Expect")
        if expected is not None and request.version == HttpVersion11:
            if expected.lower() != "100-continue":
                raise BadHead(417, "the only expectation that is known is 100-continue")
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # as the library does: it is no part of the answer
        parts: list[bytes] = []
        size = 0
        try:
            async with timeouts.timeout(BODY_SECONDS) as limit:
                if not request.content.is_eof():
                    place.await_body(self._clock(), lambda: limit.reschedule(self._clock()))
                while part := await request.content.readany():
                    size += len(part)
                    if size > self._bounds.config.max_bytes:
                        raise self._too_large()
                    place.grow(len(part))
                    parts.append(part)
        except TimeoutError:
            if place.lost:
                raise too_slow() from None
            raise BadHead(408, f"the body has not come within {BODY_SECONDS:g} s") from None
        except (web.RequestPayloadError, ConnectionError):  # or its client has gone away
            raise BadHead(400, "the body is malformed") from None
        place.body_came()
        return b"".join(parts)

    def _too_large(self) -> BadHead:
        self._bounds.count_refusal("too large")
        return BadHead(413, f"a body has at most {self._bounds.config.max_bytes} bytes here")


def _response(answer: HttpAnswer, request: web.BaseRequest) -> web.Response:
    try:
        headers = answer_headers(answer.headers)
    except ValueError as error:
        return _refused(502, f"the account's answer cannot be passed on: {error}", request)
    body = None if answer.status in BODILESS else answer.payload
    made = web.Response(status=answer.status, body=body)
    for name, value in headers:
        made.headers.add(name, value)
    if "Cache-Control" not in made.headers:
        made.headers["Cache-Control"] = "no-store"
    return made


def _refused(
    status: int, text: str, request: web.BaseRequest, *, retry_after: float | None = None
) -> web.Response:
    """Return our own answer; the connection ends where a body may still be on its way."""
    made = web.Response(status=status, text=f"{text}\n", headers=dict(SAFETY))
    made.headers["Cache-Control"] = "no-store"
    if status == 405:
        made.headers["Allow"] = ", ".join(METHODS)
    if retry_after is not None:
        made.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if request.can_read_body:
        made.force_close()
    return made
