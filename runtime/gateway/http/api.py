"""Serves the gateway's HTTP API: authorization, errors, counts, cross-origin pages.

Everything below needs the secret of the gateway. As in OpenClaw a wrong method is refused before
that is asked for, and what is switched off is not there.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable

import msgspec
import structlog
from aiohttp import web

from ipc.errors import RemoteError
from runtime.gateway.access.hosts import HostRules
from runtime.gateway.access.scopes import covers
from runtime.gateway.http.api_figures import ApiFigures, outcome_of
from runtime.gateway.http.api_refusals import (
    API,
    RATE,
    UNAUTHORIZED,
    HttpRefusal,
    busy,
    error_body,
    refusal_of,
)
from runtime.gateway.http.permission import HttpPermission

MAX_IN_FLIGHT = 1000  # requests that are being answered
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
THROTTLED = "Too many failed authentication attempts. Please try again later."
PREFLIGHT_SECONDS = 600

ApiHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_encode = msgspec.json.Encoder().encode
log = structlog.get_logger("gateway.http")


class ApiRoute(msgspec.Struct, frozen=True):
    """A route: its HTTP method, the required scope, and its handler.

    ``refused`` makes the body of a refusal, where it is not that of the OpenAI API.
    """

    method: str
    scope: str
    answer: ApiHandler
    refused: Callable[[HttpRefusal], object] = lambda refusal: refusal.body


class HttpApi:
    """The API of one gateway. ``routes`` returns the route of a path or ``None``."""

    def __init__(
        self,
        routes: Callable[[str], ApiRoute | None],
        permission: HttpPermission,
        hosts: HostRules,
        figures: ApiFigures,
    ) -> None:
        self._routes = routes
        self._permission = permission
        self._hosts = hosts
        self._figures = figures

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Answer a request; ``None`` if the API has no such path."""
        route = self._routes(request.rel_url.raw_path)
        if route is None:
            return None
        shared = self._shared(request)
        if shared and request.method == "OPTIONS":
            return web.Response(status=204, headers=shared | _preflight(request, route))
        if request.method != route.method:
            headers = HEADERS | {"Content-Type": "text/plain; charset=utf-8"}
            text = web.Response(status=405, text="Method Not Allowed")
            text.headers.update(headers | {"Allow": route.method})
            return _close_unread(request, text)
        self._figures.in_flight += 1
        failed = False
        try:
            response = await self._call_route(request, route)
        except HttpRefusal as refusal:
            response = json_response(refusal.status, route.refused(refusal), refusal.headers)
            failed = refusal.type == RATE
        except Exception:
            log.exception("a request to the HTTP API failed", path=request.path)
            response = json_response(500, error_body("internal error", API))
        finally:
            self._figures.in_flight -= 1
        if not response.prepared:
            word = outcome_of(response.status, failed)
            self._figures.outcomes["disconnected" if request.transport is None else word] += 1
            response.headers.update(shared)
        return _close_unread(request, response)

    async def _call_route(self, request: web.BaseRequest, route: ApiRoute) -> web.StreamResponse:
        if wait := self._permission.locked(request):
            after = {"Retry-After": str(math.ceil(wait))}
            raise HttpRefusal(429, THROTTLED, "rate_limited", after)
        scopes = await self._permission.scopes(request)
        if scopes is None:
            return json_response(401, UNAUTHORIZED)
        if not covers(scopes, route.scope):
            return json_response(403, _missing(route.scope))
        if self._figures.in_flight > MAX_IN_FLIGHT:
            raise busy(f"{MAX_IN_FLIGHT} requests are being answered; try again in a moment")
        try:
            return await route.answer(request)
        except RemoteError as error:
            raise refusal_of(error) from None

    def _shared(self, request: web.BaseRequest) -> dict[str, str]:
        """Return the CORS headers for the request's origin, if it is permitted.

        Only pages that ``gateway.allowedOrigins`` names: others were refused before.
        """
        origin = request.headers.get("Origin")
        if origin is None or not self._hosts.is_named(origin):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def json_response(
    status: int, value: object, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """Return a JSON response."""
    made = web.Response(status=status, body=_encode(value))
    made.headers.update(HEADERS | (headers or {}))
    return made


def _preflight(request: web.BaseRequest, route: ApiRoute) -> dict[str, str]:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return {
        "Access-Control-Allow-Methods": route.method,
        "Access-Control-Allow-Headers": ", ".join(_names(asked.split(","))),
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }


def _names(given: Iterable[str]) -> list[str]:
    names = [each.strip().lower() for each in given]
    plain = [each for each in names if each and each.replace("-", "").isalnum()]
    return plain or ["authorization", "content-type"]


def _missing(scope: str) -> object:
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    error = {"type": "forbidden", "message": f"missing scope: {scope}", "details": details}
    return {"ok": False, "error": error}


def _close_unread(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection if a body may still follow."""
    if not response.prepared and request.can_read_body and not request.content.is_eof():
        response.force_close()
    return response
