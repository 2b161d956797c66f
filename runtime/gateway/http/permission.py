"""Determines the origin of an HTTP request and its scopes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from aiohttp import web

from ipc import timeouts
from ipc.websocket.demux import is_loopback
from runtime.config.auth_model import AuthConfig
from runtime.gateway.access.auth import user_of_proxy
from runtime.gateway.access.client_address import ClientAddress
from runtime.gateway.access.guard import AccessGuard
from runtime.gateway.access.request_headers import headers_of_http
from runtime.gateway.access.scopes import ALL
from runtime.gateway.access.throttle import SHARED
from runtime.gateway.http.lost_clients import socket_of, when_lost

SCOPES = "x-openclaw-scopes"  # reduces the scopes of a request without a secret


class HttpPermission:
    """The authentication of HTTP requests to one gateway."""

    def __init__(self, guard: AccessGuard, auth: AuthConfig) -> None:
        self._guard = guard
        self._auth = auth

    def origin_of(self, request: web.BaseRequest) -> ClientAddress:
        """Return where a request comes from."""
        peer = request.remote or ""
        headers = headers_of_http(request.raw_headers)
        return self._guard.address_of(peer, is_loopback(peer), headers)

    def is_local(self, request: web.BaseRequest) -> bool:
        """Return whether a program on this host asks, and not a page by DNS rebinding."""
        own = self._guard.hosts.is_own(request.headers.get("Host"))
        return own and self.origin_of(request).loopback

    def locked(self, request: web.BaseRequest) -> float:
        """Return for how many seconds secrets from the request's address are not checked."""
        if "Authorization" not in request.headers:
            return 0.0
        return self._guard.locked(SHARED, self.origin_of(request))

    async def has_secret(self, request: web.BaseRequest) -> bool:
        """Return whether a request carries the secret; a wrong one is throttled as at ``connect``.

        It waits for its turn and for its answer as there too.
        """
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        guard, origin = self._guard, self.origin_of(request)
        ready, gone = asyncio.Event(), asyncio.Event()
        turn = guard.turn(origin, ready.set)

        def give_up() -> None:
            gone.set()
            ready.set()
            turn.give_up()

        with when_lost(request, give_up):
            turn.request()
            try:
                await ready.wait()
                if gone.is_set() or guard.locked(SHARED, origin):  # meanwhile
                    return False
                right, delay = guard.check_secret(given.strip(), origin)
                if not right:
                    turn.give_up()  # as at ``connect``: others need not wait for this answer
                with _gives_way(request, right), contextlib.suppress(TimeoutError):
                    async with timeouts.timeout(delay):
                        await gone.wait()
            finally:
                if not gone.is_set():
                    turn.end()
        return right

    async def scopes(self, request: web.BaseRequest) -> frozenset[str] | None:
        """Return the scopes of a request; ``None`` if it is not authenticated.

        The gateway's secret is that of an operator who may do everything. Without one, where the
        configuration says so, the request itself may say that it wants less.
        """
        if "Authorization" in request.headers and self._auth.mode != "none":
            return ALL if await self.has_secret(request) else None
        if not self._is_known(request):
            return None
        return _wanted(request.headers)

    def _is_known(self, request: web.BaseRequest) -> bool:
        """Return whether no secret is required, by configuration or for a trusted proxy's user."""
        headers = headers_of_http(request.raw_headers)
        if headers.get("sec-fetch-site") == "cross-site" and "origin" not in headers:
            return False  # a page of another site loads it, without being asked whose it is
        if self._auth.mode == "none":
            return True
        if self._auth.mode != "trusted-proxy":
            return False
        local = is_loopback(request.remote or "")
        user, _ = user_of_proxy(self._auth.trusted_proxy, self.origin_of(request), local, headers)
        return user is not None


def _gives_way(request: web.BaseRequest, right: bool) -> contextlib.AbstractContextManager[None]:
    """Return a context in which the connection of a wrong secret gives way to others."""
    connection = socket_of(request)
    return contextlib.nullcontext() if right or connection is None else connection.refusing()


def _wanted(headers: Mapping[str, str]) -> frozenset[str]:
    given = headers.get(SCOPES)
    if given is None:
        return ALL
    return ALL & {each.strip() for each in given.split(",")}
