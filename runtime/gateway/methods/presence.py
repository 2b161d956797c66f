"""Lists the connected clients (``system-presence``) and enters announcements of others."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.frames.requests import NoParams, Params
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts

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
    last_input_seconds: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    reason: Word = UNSET
    roles: Words | UnsetType = UNSET
    scopes: Words | UnsetType = UNSET
    tags: Words | UnsetType = UNSET


@method("system-presence", READ, NoParams)
def system_presence(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the presence rows, the gateway's own first."""
    return parts.presence.encoded(client.protocol)


@method("system-event", ADMIN, SystemEventParams)
def system_event(parts: GatewayParts, client: ConnectedClient, params: SystemEventParams) -> Any:
    """Enter or renew a row of the presence, which is broadcast within a second."""
    parts.presence.announce(msgspec.to_builtins(params))
    parts.hub.presence_changed()
    return {"ok": True}
