"""Builds the answer to a granted ``connect``, for both protocols."""

from __future__ import annotations

import re
from typing import Any

from ipc.epoch import now_ms
from ipc.frames.websocket import MAX_FRAME_BYTES
from runtime.gateway.access.scopes import ADMIN, NODE, READ
from runtime.gateway.accounts.fanout import FIGURES, OWN_EVENTS
from runtime.gateway.accounts.health import AGENT as MAIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import public, repeatable
from runtime.gateway.conversations.session_keys import main_key
from runtime.gateway.journal.runs import MAX_FILES_BYTES
from runtime.gateway.parts import GatewayParts

MAX_FILE = MAX_FILES_BYTES * 3 // 4  # as bytes, of all files of a request together
ATTACHMENTS = {"maxBytes": MAX_FILE, "maxImageBytes": MAX_FILE}
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
    "agent",
    "chat",
    "cron",
    "heartbeat",
    "sessions.changed",
    "session.message",
    "session.operation",
    "agent.turn",
    "agent.turn.cancel",
    "agent.detached",
)
REPEATABLE = "repeatable-methods"  # the capability that asks for ``features.repeatable``


def hello(parts: GatewayParts, client: ConnectedClient) -> dict[str, Any]:
    """Return the payload ``hello-ok`` for ``client``."""
    modern = client.protocol >= 4
    server: dict[str, Any] = {"version": parts.boot.version, "connId": client.id}
    features: dict[str, Any] = {
        "methods": public(client.protocol),
        "events": [*EVENTS, *sorted(OWN_EVENTS), FIGURES],
    }
    if REPEATABLE in client.connect.caps:
        features["repeatable"] = repeatable(client.protocol)
    answer: dict[str, Any] = {
        "type": "hello-ok",
        "protocol": client.protocol,
        "server": server,
        "features": features,
        "snapshot": _snapshot(parts, client),
        "policy": {
            "maxPayload": MAX_FRAME_BYTES,
            "maxBufferedBytes": parts.config.limits.buffered_bytes,
            "tickIntervalMs": parts.config.tick_interval_ms,
        },
    }
    if parts.canvas.enabled and (client.role == NODE or client.covers(READ)):
        answer["pluginSurfaceUrls"] = surface_urls(parts, client)
    grant = client.grant
    auth: dict[str, Any] = {"role": client.role, "scopes": list(client.scopes)}
    if grant.device_token is not None:
        auth |= {"deviceToken": grant.device_token, "issuedAtMs": grant.issued_at}
        answer["auth"] = auth
    if modern:
        server |= {"bootId": parts.boot_id, "buildId": parts.boot.version}
        features["capabilities"] = []
        answer["policy"]["attachments"] = ATTACHMENTS
        answer["auth"] = {"method": client.method} | auth
    return answer


def surface_urls(parts: GatewayParts, client: ConnectedClient) -> dict[str, str]:
    """Return the addresses of the canvas host for ``client``, with a new ticket."""
    config = parts.config
    scheme = "https" if config.tls.enabled else "http"
    base = config.public_url or f"{scheme}://{client.host}"
    base = re.sub("^ws", "http", base.rstrip("/"))
    return {"canvas": parts.canvas.address(base, now_ms() / 1000)}


def _session_defaults(agent: str) -> dict[str, Any]:
    """Return the default agent and session of clients."""
    return {
        "defaultAgentId": agent,
        "mainKey": MAIN,
        "mainSessionKey": main_key(agent),
        "scope": "per-sender",
    }


def _snapshot(parts: GatewayParts, client: ConnectedClient) -> dict[str, Any]:
    # Protocol 3 shows every connected client; 4 only clients that may read.
    shown = client.protocol < 4 or client.covers(READ)
    snapshot: dict[str, Any] = {
        "presence": parts.presence.rows(client.protocol) if shown else [],
        "health": parts.health.payload(client.protocol),
        "stateVersion": parts.hub.state_version(),
        "uptimeMs": parts.readiness.uptime_ms(),
        "sessionDefaults": _session_defaults(parts.agents.default_id),
    }
    if client.protocol >= 4:
        snapshot["suspension"] = {"phase": "accepting"}
        if parts.accounts.revision:
            snapshot["appliedConfigHash"] = parts.accounts.revision
    if client.covers(ADMIN):
        snapshot |= {
            "configPath": parts.boot.config_path,
            "stateDir": parts.boot.state_dir,
            "authMode": parts.config.auth.mode,
        }
    return snapshot
