"""Answers HTTP requests on the gateway's port: health, metrics, files, the page, accounts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from runtime.gateway.access.hosts import RequestHead
from runtime.gateway.http import canvas_host
from runtime.gateway.http.api import HttpApi
from runtime.gateway.http.api_routes import routes_of
from runtime.gateway.http.broken_bodies import BodyCheckingServer
from runtime.gateway.http.canvas import CanvasEndpoint
from runtime.gateway.http.hooks import HooksEndpoint
from runtime.gateway.http.ingress import Ingress
from runtime.gateway.http.ingress_heads import PREFIX as ACCOUNTS
from runtime.gateway.http.lost_clients import socket_of
from runtime.gateway.http.media import PREFIX, MediaEndpoint
from runtime.gateway.http.metrics import CONTENT_TYPE, Metrics
from runtime.gateway.http.page import PageEndpoint
from runtime.gateway.http.permission import HttpPermission
from runtime.gateway.parts import GatewayParts

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
METHODS = ("GET", "HEAD")
# An idle connection; the library's 3630 s would let a stranger keep what costs a file each.
KEEP_ALIVE_SECONDS = 15.0
WAIT_SECONDS = 2.0  # for which a request waits for the first report
LINGER_SECONDS = 2.0  # in which a refused body is read and dropped, so that its answer is read

Endpoint = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger("gateway.http")


class HttpEndpoints:
    """The HTTP endpoints of one gateway."""

    def __init__(self, parts: GatewayParts) -> None:
        self._readiness = parts.readiness
        self._guard = parts.guard
        self._permission = HttpPermission(parts.guard, parts.config.auth)
        self._api = HttpApi(routes_of(parts), self._permission, parts.guard.hosts, parts.api)
        self._figures_of_api = parts.api
        self._figures = Metrics(parts)
        self._ingress = Ingress(parts)
        self._hooks = HooksEndpoint(parts)
        self._paths: dict[str, Endpoint] = {
            "/health": self._health,
            "/healthz": self._health,
            "/ready": self._ready,
            "/readyz": self._ready,
        }
        self._media = MediaEndpoint(Path(parts.boot.state_dir), parts.tickets)
        if parts.config.http.metrics:
            self._paths["/metrics"] = self._metrics
        answer: Endpoint = self._answer
        self._page = PageEndpoint(parts.config.control_ui)
        self._canvas = CanvasEndpoint(parts.canvas, self._permission.has_secret)
        self._server = _server(answer)
        self._canvas_server = _server(self._answer_on_canvas_port)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one HTTP connection."""
        return self._server()

    def canvas_protocol(self) -> asyncio.Protocol:
        """Return the protocol of one connection to the canvas host's own port."""
        return self._canvas_server()

    async def close(self) -> None:
        """End the connections that are left."""
        await asyncio.gather(self._server.shutdown(0.2), self._canvas_server.shutdown(0.2))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._guarded(request, self._answer_at)

    async def _answer_on_canvas_port(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._guarded(request, self._answer_canvas)

    async def _guarded(self, request: web.BaseRequest, answer: Endpoint) -> web.StreamResponse:
        if refusal := self._guard.hosts.refusal(_head_of(request)):
            refused = _text(refusal.status, refusal.text)
            refused.force_close()
            self._figures_of_api.record_answer(refused.status)
            return refused
        connection = socket_of(request)
        if connection is None:
            return await answer(request)
        with connection.answering():
            response = await answer(request)
        await connection.on_answer(refused=self._figures_of_api.record_answer(response.status))
        return response

    async def _answer_at(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.rel_url.raw_path.startswith(ACCOUNTS):
            return await self._ingress.answer(request, self._permission.origin_of(request).address)
        if request.rel_url.raw_path.startswith(canvas_host.PLACE):
            return await self._answer_canvas(request)
        # Which hooks there are is in the first report: 404 would end the tries of their callers.
        if request.method == "POST" and not await self._readiness.wait_until_informed(WAIT_SECONDS):
            return _text(503, "The gateway is starting.", **{"Retry-After": "1"})
        if self._hooks.serves(request.path):
            return await self._hooks.answer(request, self._permission.origin_of(request).address)
        endpoint = self._paths.get(request.path)
        if request.path.startswith(PREFIX):
            endpoint = self._media.answer
        if endpoint is not None:
            return await self._allowed(request, endpoint)
        if (answer := await self._api.answer(request)) is not None:
            return answer
        # Also for an address that is locked: the page shows nothing, and says how long that lasts.
        if request.method in METHODS and self._page.serves(request.path):
            answer = await self._page.answer(request)
        return answer or _text(404, "Not Found")

    async def _answer_canvas(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self._canvas.serves(request.rel_url.raw_path):
            return _text(404, "Not Found")
        return await self._allowed(request, self._canvas.answer)

    async def _allowed(self, request: web.BaseRequest, endpoint: Endpoint) -> web.StreamResponse:
        """Call ``endpoint`` only for reads, and not for addresses locked after wrong secrets."""
        if request.method not in METHODS:
            return _text(405, "Method Not Allowed", Allow="GET, HEAD")
        if wait := self._permission.locked(request):
            return _text(429, "Too Many Requests", **{"Retry-After": str(int(wait) + 1)})
        return await endpoint(request)

    async def _health(self, request: web.BaseRequest) -> web.Response:
        return _json(200, {"ok": True, "status": "live"})

    async def _ready(self, request: web.BaseRequest) -> web.Response:
        readiness = self._readiness
        failing = [
            name
            for name, fails in (
                ("gateway-draining", readiness.draining),
                ("startup-sidecars", not readiness.informed),
            )
            if fails
        ]
        answer: dict[str, object] = {"ready": not failing}
        if self._permission.is_local(request) or await self._permission.has_secret(request):
            answer |= {"failing": failing, "uptimeMs": readiness.uptime_ms()}
        return _json(503 if failing else 200, answer)

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        if not (self._permission.is_local(request) or await self._permission.has_secret(request)):
            return _text(401, "Unauthorized")
        headers = {**HEADERS, "Content-Type": CONTENT_TYPE}
        return web.Response(body=await self._figures.text(), headers=headers)


def _server(answer: Endpoint) -> web.Server:
    return BodyCheckingServer(
        answer,
        access_log=None,
        logger=_log,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        auto_decompress=False,  # a signature is over the bytes as they came; and no bombs
    )


def _head_of(request: web.BaseRequest) -> RequestHead:
    headers = request.headers
    hosts, origins = headers.getall("Host", []), headers.getall("Origin", [])
    return RequestHead(request.path, tuple(hosts), tuple(origins))


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether a failure is the gateway's own; malformed HTTP could fill the log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


_log.addFilter(_is_ours)


def _text(status: int, text: str, **more: str) -> web.Response:
    return web.Response(status=status, text=text, headers={**HEADERS, **more})


def _json(status: int, value: object) -> web.Response:
    headers = {**HEADERS, "Content-Type": "application/json; charset=utf-8"}
    return web.Response(status=status, body=orjson.dumps(value), headers=headers)
