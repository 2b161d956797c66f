"""Passes HTTP requests below ``/channels/`` on to the plugins of accounts.

No secret of the gateway is asked for: whether a request is genuine, the plugin decides. What cannot
be passed on is refused before its body is read.
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

from aiohttp import web

from ipc.errors import CallTimeout, IpcError
from ipc.frames.data import MAX_PAYLOAD_BYTES, HttpAnswer
from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.http_bounds import Crowded
from runtime.gateway.accounts.http_calls import IngressRequest
from runtime.gateway.accounts.rows import is_linking
from runtime.gateway.http.ingress_bodies import IngressBodies
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

RETRY_SECONDS = 5  # after which a request to an account that does not run may come again
START_SECONDS = 1  # and one to a gateway that does not know its accounts yet
BODILESS = (204, 304)  # statuses without a body
READS = ("GET", "HEAD", "OPTIONS")  # methods that bring no message


class Ingress:
    """The HTTP requests to the accounts of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._accounts = parts.accounts
        self._intake = parts.intake
        self._readiness = parts.readiness
        self._calls = parts.http_calls
        self._bounds = parts.http_calls.bounds
        self._bodies = IngressBodies(self._bounds, Path(parts.boot.state_dir))
        self._clock = asyncio.get_running_loop().time

    async def answer(self, request: web.BaseRequest, remote: str) -> web.Response:
        """Answer a request of the client with the address ``remote``."""
        try:
            target = read_target(request.rel_url.raw_path)
            made = self._build_request(request, target, remote)
            return await self._admitted(request, made)
        except BadHead as error:
            return _refused(error.status, str(error), request)
        except Crowded as error:
            self._bounds.count_refusal(error.reason)
            return _refused(503, str(error), request, retry_after=error.retry_after)

    def _build_request(
        self, request: web.BaseRequest, target: Target, remote: str
    ) -> IngressRequest:
        """Return the request for the plugin without its body; raises ``BadHead``, ``Crowded``."""
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
        self._bodies.check_length(request.content_length or 0, self._most(target.key))
        if not self._accounts.accepts_http(target.key):
            raise Crowded("not running", "the account does not run now", RETRY_SECONDS)
        if request.method not in READS and self._cannot_store(row):
            # Its plugin would wait for that until its time is over, and hold the place.
            raise Crowded("not stored", "nothing can be stored now", RETRY_SECONDS)
        return IngressRequest(target.key, request.method, target.path, query, headers, remote)

    def _cannot_store(self, row: AccountStatus) -> bool:
        """Return whether no message to an account can be stored now; a login needs no storing."""
        halted = self._intake.fault is not None and self._intake.is_on(row.account)
        return halted and not is_linking(row)

    def _most(self, key: str) -> int:
        """Return the largest permitted body of a request to an account, in bytes."""
        channel = self._accounts.channels.get(key.partition(":")[0])
        large = channel is not None and "uploads" in channel.can.get("can", ())
        most = self._bounds.config.max_bytes
        return most if large else min(most, MAX_PAYLOAD_BYTES)

    async def _admitted(self, request: web.BaseRequest, made: IngressRequest) -> web.Response:
        place = self._bounds.admit(made.key, request.content_length or 0, self._clock())
        most = self._most(made.key)
        try:
            peer = await self._calls.wait_for_peer(made.key)
            if (whole := self._bodies.complete_body(request, place, most)) is not None:
                answer = await self._calls.call(peer, made, whole, place)
            else:
                async with self._bodies.receive(request, place, made.key, most) as body:
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
    """Return an answer of the gateway itself; close the connection if a body may follow."""
    made = web.Response(status=status, text=f"{text}\n", headers=dict(SAFETY))
    made.headers["Cache-Control"] = "no-store"
    if status == 405:
        made.headers["Allow"] = ", ".join(METHODS)
    if retry_after is not None:
        made.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if request.can_read_body:
        made.force_close()
    return made
