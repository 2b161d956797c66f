"""Forwards requests to the supervisor that only it can execute.

About accounts: history, log lines, holds, reset, drain. About processes: restart of the gateway,
reload of the secrets, shutdown. Its answers are passed back undecoded.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.requests import (
    AccountParams,
    AccountsParams,
    ChangesParams,
    DrainParams,
    LinesParams,
    NoParams,
    Params,
    RestartParams,
)
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.methods.asking import ask_for
from runtime.gateway.parts import GatewayParts
from runtime.gateway.supervisor_link import ASK_SECONDS

DRAIN_MARGIN = 15.0  # seconds for the stop after the drain


class DeferrableRestartParams(RestartParams):
    """The params of ``gateway.restart.request``; ``reason`` is logged.

    ``skip_deferral`` is ignored, for nothing is deferred: calls under way are finished.
    """

    skip_deferral: bool = False


@method("channels.describe", READ, AccountParams, ours=True)
async def channels_describe(
    parts: GatewayParts, client: ConnectedClient, params: AccountParams
) -> Any:
    """Explain the state of an account and what happens next."""
    return await _ask(parts, "channels.describe", params)


@method("channels.events", READ, AccountParams, ours=True)
async def channels_events(
    parts: GatewayParts, client: ConnectedClient, params: AccountParams
) -> Any:
    """Answer with the history of an account: its phases, causes and incarnations. What came again
    and again is five events, of which the oldest has the number of all before it (`times`) and the
    time of the `first`.
    """
    return await _ask(parts, "channels.events", params)


@method("supervisor.warnings", READ, NoParams, ours=True)
async def supervisor_warnings(
    parts: GatewayParts, client: ConnectedClient, params: NoParams
) -> Any:
    """Answer with the warnings that `trunkline status` shows. Examples are a full disk, an invalid
    configuration, many accounts that crashed together.
    """
    return await _ask(parts, "supervisor.warnings", params)


@method("channels.logs", READ, LinesParams, ours=True, most_bytes=TEXT_BYTES)
async def channels_logs(parts: GatewayParts, client: ConnectedClient, params: LinesParams) -> Any:
    """Answer with the last log lines of accounts, or of every process."""
    return await _ask(parts, "channels.logs", params)


@method("channels.holds", READ, ours=True)
async def channels_holds(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the current manual stops."""
    return await _ask(parts, "channels.holds", params)


@method("changes.list", READ, ChangesParams, ours=True)
async def changes_list(parts: GatewayParts, client: ConnectedClient, params: ChangesParams) -> Any:
    """Answer with what operators have changed, the newest last. Each has `at`, `text` and `by`, the
    author and the place; `by` is null for an edit of the configuration's file. What came again and
    again has `times` and `first`, as in `channels.events`.
    """
    return await _ask(parts, "changes.list", params)


@method("channels.start.unknown", ADMIN, ours=True)
async def channels_start_unknown(
    parts: GatewayParts, client: ConnectedClient, params: NoParams
) -> Any:
    """Start every account of which it is unknown whether a person had stopped it. The holds were
    damaged (cause `hold_unknown`).
    """
    return await _change(parts, client, "channels.start.unknown", params)


@method("channels.reset", ADMIN, AccountsParams, ours=True, most_bytes=TEXT_BYTES)
async def channels_reset(
    parts: GatewayParts, client: ConnectedClient, params: AccountsParams
) -> Any:
    """Clear the failures of accounts, so that their next backoff is the shortest."""
    return await _change(parts, client, "channels.reset", params)


@method("channels.drain", ADMIN, DrainParams, ours=True, most_bytes=TEXT_BYTES)
async def channels_drain(parts: GatewayParts, client: ConnectedClient, params: DrainParams) -> Any:
    """Stop accounts once their messages in flight are done. Inbound ones are acknowledged then, and
    outbound ones sent; `drained` shows for each account whether that was in time.
    """
    return await _change(
        parts, client, "channels.drain", params, params.timeout_ms / 1000 + DRAIN_MARGIN
    )


@method("gateway.restart.request", ADMIN, DeferrableRestartParams)
async def gateway_restart_request(
    parts: GatewayParts, client: ConnectedClient, params: DeferrableRestartParams
) -> Any:
    """Restart the gateway in a moment; pending calls are finished and none is refused."""
    return await _restart(parts, client, params.reason, params.delay_ms)


@method("gateway.restart", ADMIN, ours=True)
async def gateway_restart(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Restart the gateway at once; `gateway.restart.request` does it in a moment."""
    return await _restart(parts, client, "gateway.restart", 0)


@method("secrets.reload", ADMIN)
async def secrets_reload(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Read every secret again. Accounts whose secret has changed are replaced (`restarted`, ours);
    an unreadable one is a warning (`warnings`, ours).
    """
    return await ask_for(parts, client, "secrets.reload", {})


@method("shutdown", ADMIN, ours=True)
async def shutdown(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Stop accounts, gateway and supervisor."""
    return await ask_for(parts, client, "shutdown", {})


async def _ask(parts: GatewayParts, name: str, params: Params) -> msgspec.Raw:
    return await parts.supervisor.ask_raw(name, _given(params))


async def _change(
    parts: GatewayParts,
    client: ConnectedClient,
    name: str,
    params: Params,
    seconds: float = ASK_SECONDS,
) -> msgspec.Raw:
    return await ask_for(parts, client, name, _given(params), seconds)


def _given(params: Params) -> dict[str, Any]:
    return {key: each for key, each in msgspec.to_builtins(params).items() if each is not None}


async def _restart(
    parts: GatewayParts, client: ConnectedClient, reason: str | None, delay_ms: int
) -> msgspec.Raw:
    params = RestartParams(reason=reason, delay_ms=delay_ms)
    return await _change(parts, client, "gateway.restart.request", params)
