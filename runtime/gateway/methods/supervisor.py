"""Handles the supervisor's reports, answers and requests, sent over its link."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import BootstrapParams
from ipc.frames.websocket import ErrorShape
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import ALL, SUPERVISOR
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.devices.bootstrap import SCOPES
from runtime.gateway.parts import GatewayParts
from runtime.gateway.reports import SupervisorReport, apply_report

_ONLY = frozenset({SUPERVISOR})


class SupervisorResultParams(msgspec.Struct):
    """The params of ``supervisor.result``: the answer to a ``supervisor.request``."""

    id: int
    ok: bool
    payload: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorShape | UnsetType = UNSET


class ClosingParams(msgspec.Struct, rename="camel"):
    """The params of ``gateway.closing``: whether a successor follows."""

    restarting: bool


@method("channels.report", None, SupervisorReport, _ONLY)
def channels_report(parts: GatewayParts, client: ConnectedClient, params: SupervisorReport) -> Any:
    """Apply a report; the events about it leave first. The answer describes the data link."""
    apply_report(parts, params)
    return msgspec.structs.replace(parts.data_link.report(), attached=parts.attached.agents)


@method("supervisor.result", None, SupervisorResultParams, _ONLY)
def supervisor_result(
    parts: GatewayParts, client: ConnectedClient, params: SupervisorResultParams
) -> Any:
    """Receive an answer of the supervisor; one to a request that is over is ignored."""
    error = None if params.error is UNSET else params.error
    parts.supervisor.settle(params.id, params.ok, params.payload, error)
    return {}


@method("device.bootstrap.create", None, BootstrapParams, _ONLY)
def device_bootstrap_create(
    parts: GatewayParts, client: ConnectedClient, params: BootstrapParams
) -> Any:
    """Create a one-time token that signs one device in; the supervisor's operator passes it on."""
    scopes = SCOPES if params.scopes is None else tuple(params.scopes)
    if unknown := set(scopes) - ALL:
        raise RemoteError(INVALID_REQUEST, f"unknown scope: {min(unknown)[:64]}")
    token, expires_at = parts.devices.bootstrap.create(scopes, now_ms())
    return {"bootstrapToken": token, "expiresAtMs": expires_at, "scopes": scopes}


@method("gateway.closing", None, ClosingParams, _ONLY)
def gateway_closing(parts: GatewayParts, client: ConnectedClient, params: ClosingParams) -> Any:
    """Record whether a successor follows this gateway; clients are sent that at the end."""
    parts.readiness.set_restarting(restarting=params.restarting)
    return {}
