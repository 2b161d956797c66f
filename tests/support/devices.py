"""Devices that sign with their own code, independent of the product's client."""

from __future__ import annotations

from typing import Any

from ipc.identity import signature
from tests.support.gateway_rig import TOKEN, GatewayRig
from tests.support.handshakes import challenged
from tests.support.rawclient import SCOPES, RawClient, connect_params

CLI = {"id": "cli", "version": "0.0.1", "platform": "linux", "mode": "cli"}
NODE = {"id": "node-host", "version": "0.0.1", "platform": "linux", "mode": "node"}


class Key:
    """One device."""

    def __init__(self) -> None:
        self.private = signature.new_key()
        self.public = signature.public_key(self.private)
        self.id = signature.device_id(self.public)

    def params(
        self,
        challenge: dict[str, Any],
        protocol: int = 4,
        *,
        version: int = signature.V3,
        change: dict[str, Any] | None = None,
        auth: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Return params of ``connect`` with a signed device; ``change`` is done after signing."""
        auth = {"token": TOKEN} if auth is None else auth
        params = connect_params(None, protocol, client=CLI, scopes=SCOPES) | more
        params |= {"auth": auth} if auth else {}
        statement = signature.Statement(
            device=self.id,
            client=params["client"]["id"],
            mode=params["client"]["mode"],
            role=params["role"],
            scopes=tuple(params["scopes"]),
            signed_at=challenge["payload"]["ts"],
            token=auth.get("token") or auth.get("deviceToken") or auth.get("bootstrapToken") or "",
            nonce=challenge["payload"]["nonce"],
            platform=params["client"]["platform"],
        )
        device = {
            "id": self.id,
            "publicKey": signature.encode(self.public),
            "signature": signature.sign(self.private, statement.text(version)),
            "signedAt": statement.signed_at,
            "nonce": statement.nonce,
        }
        return params | {"device": device | (change or {})}


async def offer(
    rig: GatewayRig,
    key: Key,
    protocol: int = 4,
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> tuple[RawClient, Any]:
    """Connect with a device; return the connection and the answer to ``connect``."""
    client = await challenged(rig, additional_headers=headers)
    params = key.params(client.challenge, protocol, **more)
    return client, await client.call("connect", params, id="connect")


async def refused_device(
    rig: GatewayRig, key: Key, protocol: int = 4, **more: Any
) -> tuple[Any, str]:
    """Return the error and the close reason of a ``connect`` that fails with 1008."""
    client, answer = await offer(rig, key, protocol, **more)
    assert answer["ok"] is False, answer
    code, reason = await client.closed()
    assert code == 1008
    return answer["error"], reason or ""


async def paired(rig: GatewayRig, key: Key, protocol: int = 4, **more: Any) -> RawClient:
    """Return a connection with its hello; ``auth`` is that of the hello."""
    client, answer = await offer(rig, key, protocol, **more)
    assert answer["ok"], answer
    client.auth = answer["payload"].get("auth", {})
    return client


async def node(rig: GatewayRig, key: Key, *commands: str, **more: Any) -> RawClient:
    """Return a node that offers ``commands``."""
    given: dict[str, Any] = {"role": "node", "scopes": [], "client": NODE, "caps": ["canvas"]}
    return await paired(rig, key, commands=list(commands), **(given | more))
