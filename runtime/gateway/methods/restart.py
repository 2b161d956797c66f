"""``gateway.restart.request``, ``secrets.reload``, and ours: ``gateway.restart``, ``shutdown``."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, Strict, method


class Request(Strict):
    """``reason`` is noted. Nothing needs to be deferred: calls under way are finished."""

    reason: Annotated[str, Meta(max_length=500)] | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 100
    skip_deferral: bool = False


@method("gateway.restart.request", ADMIN, Request)
async def restart_request(client: ConnectedClient, params: Request) -> Any:
    """Restart the gateway in a moment; calls under way are finished, nobody is refused."""
    return await _restart(client, params.reason, params.delay_ms)


@method("gateway.restart", ADMIN, Nothing, ours=True)
async def gateway_restart(client: ConnectedClient, params: Nothing) -> Any:
    """Restart the gateway at once, as `gateway.restart.request` does later."""
    return await _restart(client, "gateway.restart", 0)


@method("secrets.reload", ADMIN, Nothing)
async def secrets_reload(client: ConnectedClient, params: Nothing) -> Any:
    """Have every secret read anew: accounts for which one is another now are replaced
    (`restarted`, ours); one that cannot be read is a warning (`warnings`, ours).
    """
    return await client.hub.ask_supervisor("secrets.reload", {})


@method("shutdown", ADMIN, Nothing, ours=True)
async def shutdown(client: ConnectedClient, params: Nothing) -> Any:
    """End everything: accounts, gateway and supervisor."""
    return await client.hub.ask_supervisor("shutdown", {})


async def _restart(client: ConnectedClient, reason: str | None, delay_ms: int) -> msgspec.Raw:
    given: dict[str, Any] = {"delayMs": delay_ms}
    if reason is not None:
        given["reason"] = reason
    return await client.hub.ask_supervisor("gateway.restart.request", given)
