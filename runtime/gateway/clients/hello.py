"""The answer to a ``connect`` that is granted (PROTOCOL.md 1.6), for both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipc.frames.websocket import MAX_FRAME_BYTES
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.accounts.fanout import OWN_EVENTS
from runtime.gateway.methods import public, repeatable

if TYPE_CHECKING:
    from runtime.gateway.clients.client import Client
    from runtime.gateway.gateway import Gateway

EVENTS = (
    "connect.challenge",
    "presence",
    "tick",
    "health",
    "shutdown",
    "device.pair.requested",
    "device.pair.resolved",
    "node.pair.requested",
    "node.pair.resolved",
    "node.invoke.request",
    "node.invoke.cancel",
)
REPEATABLE = "repeatable-methods"  # the capability that asks for ``features.repeatable``
SESSION_DEFAULTS = {
    "defaultAgentId": "main",
    "mainKey": "main",
    "mainSessionKey": "agent:main:main",
    "scope": "per-sender",
}


def hello(gateway: Gateway, client: Client) -> dict[str, Any]:
    """Return the payload ``hello-ok`` for ``client``."""
    modern = client.protocol >= 4
    server: dict[str, Any] = {"version": gateway.version, "connId": client.id}
    features: dict[str, Any] = {
        "methods": public(client.protocol),
        "events": [*EVENTS, *sorted(OWN_EVENTS)],
    }
    if REPEATABLE in client.connect.caps:
        features["repeatable"] = repeatable(client.protocol)
    answer: dict[str, Any] = {
        "type": "hello-ok",
        "protocol": client.protocol,
        "server": server,
        "features": features,
        "snapshot": _snapshot(gateway, client),
        "policy": {
            "maxPayload": MAX_FRAME_BYTES,
            "maxBufferedBytes": gateway.config.limits.buffered_bytes,
            "tickIntervalMs": gateway.config.tick_interval_ms,
        },
    }
    grant = client.grant
    auth: dict[str, Any] = {"role": client.role, "scopes": list(client.scopes)}
    if grant.device_token is not None:
        auth |= {"deviceToken": grant.device_token, "issuedAtMs": grant.issued_at}
        answer["auth"] = auth
    if modern:
        server |= {"bootId": gateway.boot_id, "buildId": gateway.version}
        features["capabilities"] = []
        answer["auth"] = {"method": client.method} | auth
    return answer


def _snapshot(gateway: Gateway, client: Client) -> dict[str, Any]:
    # Protocol 3 shows everybody who is here; 4 only to those who may read.
    shown = client.protocol < 4 or client.covers(READ)
    snapshot: dict[str, Any] = {
        "presence": gateway.presence.rows(client.protocol) if shown else [],
        "health": gateway.health.payload(client.protocol),
        "stateVersion": gateway.state_version(),
        "uptimeMs": int((gateway.loop.time() - gateway.began) * 1000),
        "sessionDefaults": SESSION_DEFAULTS,
    }
    if client.protocol >= 4:
        snapshot["suspension"] = {"phase": "accepting"}
        if gateway.revision:
            snapshot["appliedConfigHash"] = gateway.revision
    if client.covers(ADMIN):
        snapshot |= {
            "configPath": gateway.boot.config_path,
            "stateDir": gateway.boot.state_dir,
            "authMode": gateway.config.auth.mode,
        }
    return snapshot
