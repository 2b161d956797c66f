"""Loads the HTTP endpoints after the gateway is up.

aiohttp takes 0.1 s to import. Neither the first ``health`` nor a restart waits for that: it is
imported in a thread once the gateway has been up for a while, or for the first request that comes
before.
"""

from __future__ import annotations

import asyncio
import importlib
from types import ModuleType
from typing import Protocol

from runtime.gateway.parts import GatewayParts

LIBRARY = "runtime.gateway.http.lean_aiohttp"
MODULE = "runtime.gateway.http.endpoints"
LOAD_AFTER = 5.0  # seconds after the start, when 200 accounts are up


class HttpServer(Protocol):
    """The interface of ``HttpEndpoints``, whose module is imported late."""

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one connection."""

    def canvas_protocol(self) -> asyncio.Protocol:
        """Return the protocol of one connection to the canvas host's own port."""

    async def close(self) -> None:
        """End the connections that are left."""


class LateEndpoints:
    """The HTTP endpoints, imported at first use."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._endpoints: HttpServer | None = None
        self._timer = asyncio.get_running_loop().call_later(LOAD_AFTER, self._load)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one HTTP connection."""
        return self._ensure().protocol()

    def canvas_protocol(self) -> asyncio.Protocol:
        """Return the protocol of one connection to the canvas host's own port."""
        return self._ensure().canvas_protocol()

    async def close(self) -> None:
        """End the connections that are left."""
        self._timer.cancel()
        if self._endpoints is not None:
            await self._endpoints.close()

    def _ensure(self) -> HttpServer:
        if self._endpoints is None:
            endpoints: HttpServer = _import().HttpEndpoints(self._parts)
            self._endpoints = endpoints
        return self._endpoints

    def _load(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, _import)


def _import() -> ModuleType:
    importlib.import_module(LIBRARY)  # first: the other one imports aiohttp itself
    return importlib.import_module(MODULE)
