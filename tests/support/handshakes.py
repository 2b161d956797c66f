"""Raw connections to a gateway of the test: before the hello, after it, and refused ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.gateway_rig import TOKEN, GatewayRig
from tests.support.rawclient import RawClient, connect_params


async def challenged(rig: GatewayRig, **more: Any) -> RawClient:
    """Return a connection that has received its challenge; the rig closes it."""
    client = await RawClient.open(rig.url, **more)
    rig.opened.append(client)
    return client


async def greeted(rig: GatewayRig, protocol: int = 4, **more: Any) -> RawClient:
    """Return a connection that has received its hello; ``more`` are params of ``connect``."""
    client = await challenged(rig)
    await client.hello(TOKEN, protocol, **more)
    return client


async def connect(
    rig: GatewayRig,
    auth: dict[str, str] | None = None,
    protocol: int = 4,
    *,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    **more: Any,
) -> Any:
    """Return the answer to a ``connect`` with exactly this ``auth``."""
    client = await challenged(rig, additional_headers=headers)
    params = connect_params(None, protocol, **more)
    return await client.call("connect", params | ({"auth": auth} if auth is not None else {}))


async def refused(
    rig: GatewayRig, params: dict[str, Any], **more: Any
) -> tuple[Any, int | None, str]:
    """Return error, close code and reason of a ``connect`` that fails."""
    client = await challenged(rig, **more)
    answer = await client.call("connect", params)
    assert answer["ok"] is False
    assert "payload" not in answer
    code, reason = await client.closed()
    return answer["error"], code, reason or ""
