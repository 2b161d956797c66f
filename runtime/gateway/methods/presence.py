"""Lists clients (``system-presence``, ``gateway.clients``), and adds announced programs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.frames.requests import NoParams, Number, Params
from runtime.gateway.access.scopes import ADMIN, READ, SUPERVISOR
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts
from runtime.gateway.presence import shown_name

Word = Annotated[str, Meta(min_length=1, max_length=512)] | UnsetType
Words = Annotated[list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(max_length=64)]


class SystemEventParams(Params):
    """The params of ``system-event``: what a program announces about itself."""

    text: Annotated[str, Meta(min_length=1, max_length=4096)]
    device_id: Word = UNSET
    instance_id: Word = UNSET
    host: Word = UNSET
    ip: Word = UNSET
    mode: Word = UNSET
    version: Word = UNSET
    platform: Word = UNSET
    device_family: Word = UNSET
    model_identifier: Word = UNSET
    last_input_seconds: Number | UnsetType = UNSET
    reason: Word = UNSET
    roles: Words | UnsetType = UNSET
    scopes: Words | UnsetType = UNSET
    tags: Words | UnsetType = UNSET


@method("system-presence", READ, NoParams)
def system_presence(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the presence rows, the gateway's own first."""
    return parts.presence.encoded(client.protocol)


@method("gateway.clients", READ, ours=True)
def gateway_clients(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the connected clients, including command lines. Each has the time since it
    connected (`ageMs`), its requests, and how many bytes it has not read yet (`unread`).
    """
    now = asyncio.get_running_loop().time()
    return {
        "clients": [
            {
                "id": each.id,
                "name": shown_name(each),
                "mode": each.connect.client.mode,
                "version": each.connect.client.version,
                "platform": each.connect.client.platform,
                "protocol": each.protocol,
                "role": each.role,
                "scopes": each.scopes,
                "deviceId": each.device,
                "address": each.address,
                "provedBy": each.grant.method,
                "ageMs": int((now - each.since) * 1000),
                "requests": each.asked,
                "errors": each.failed,
                "unread": each.connection.buffered_bytes,
                "you": each is client,
            }
            for each in sorted(parts.hub.clients, key=lambda each: each.since)
            if each.role != SUPERVISOR
        ]
    }


@method("system-event", ADMIN, SystemEventParams)
def system_event(parts: GatewayParts, client: ConnectedClient, params: SystemEventParams) -> Any:
    """Add or renew a row of the presence, which is broadcast within a second."""
    parts.presence.announce(msgspec.to_builtins(params))
    parts.hub.on_presence_changed()
    return {"ok": True}
