"""The pages of the gateway, loaded after it is up.

aiohttp takes 0.15 s to import, half of it for certificates of its client. Neither the first
``health`` nor a restart waits for that: it is imported in a thread once the gateway has been up
for a while, or for the first request that comes before.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.gateway.gateway import Gateway
    from runtime.gateway.http.endpoints import Pages

MODULE = "runtime.gateway.http.endpoints"
LOAD_AFTER = 5.0  # seconds after the start, when 200 accounts are up


class LatePages:
    """``protocol`` makes what an HTTP connection is handed to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._pages: Pages | None = None
        self._timer = gateway.loop.call_later(LOAD_AFTER, self._load)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of one connection."""
        if self._pages is None:
            self._pages = importlib.import_module(MODULE).Pages(self._gateway)
        return self._pages.server()

    async def close(self) -> None:
        """End the connections that are left."""
        self._timer.cancel()
        if self._pages is not None:
            await self._pages.close()

    def _load(self) -> None:
        self._gateway.loop.run_in_executor(None, importlib.import_module, MODULE)
