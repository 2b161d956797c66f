"""Takes what the supervisor sends over its link: reports of accounts, and answers."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ipc.frames.websocket import ErrorShape
from runtime.gateway.access.scopes import SUPERVISOR
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts
from runtime.gateway.reports import SupervisorReport, take

_ONLY = frozenset({SUPERVISOR})


class SupervisorResultParams(msgspec.Struct):
    """The answer to the event ``supervisor.request`` ``id``."""

    id: int
    ok: bool
    payload: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorShape | UnsetType = UNSET


class ClosingParams(msgspec.Struct, rename="camel"):
    """Why the gateway will be asked to end soon."""

    restarting: bool


@method("channels.report", None, SupervisorReport, _ONLY)
def channels_report(parts: GatewayParts, client: ConnectedClient, params: SupervisorReport) -> Any:
    """Take a report; the events about it leave before the answer."""
    take(parts, params)
    return {}


@method("supervisor.result", None, SupervisorResultParams, _ONLY)
def supervisor_result(
    parts: GatewayParts, client: ConnectedClient, params: SupervisorResultParams
) -> Any:
    """Take an answer; one that nobody waits for any more is counted."""
    error = None if params.error is UNSET else params.error
    parts.supervisor.settle(params.id, params.ok, params.payload, error)
    return {}


@method("gateway.closing", None, ClosingParams, _ONLY)
def gateway_closing(parts: GatewayParts, client: ConnectedClient, params: ClosingParams) -> Any:
    """Learn what to tell clients at the end: that a successor comes, or that none does."""
    parts.readiness.expect_end(restarting=params.restarting)
    return {}
