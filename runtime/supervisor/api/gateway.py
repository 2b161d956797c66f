"""Starts, stops and restarts the gateway for operators, and signs them in to the console."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import structlog

from ipc.errors import RemoteError
from ipc.frames.requests import BootstrapParams, NoParams, Params, RestartParams
from ipc.frames.words import FORBIDDEN, INVALID_REQUEST, UNAVAILABLE, Phase
from runtime.supervisor.api.table import Caller, method
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.port import PortUnusable
from runtime.supervisor.parts import Parts

log = structlog.get_logger("gateway")

UP_WITHIN, DOWN_WITHIN = 15.0, 10.0  # seconds that a gateway of ours is waited for


class ForceParams(Params):
    """The params of ``gateway.start``: ``force`` ends other programs that hold the port."""

    force: bool = False


class WarningsParams(Params):
    """The gateway's current warnings, which replace the earlier ones."""

    warnings: list[str] = []


class AttachedParams(Params):
    """The keys of all agents that have a program attached at the gateway."""

    agents: list[str] = []


class ShutdownParams(Params):
    """The params of ``gateway.stop``.

    ``shutdown`` asks a gateway that is not ours to end, before we disconnect from it.
    """

    shutdown: bool = False


@method("gateway.start", ForceParams, changes=True)
async def start(parts: Parts, params: ForceParams) -> Any:
    """Start the gateway; return its row once it is up, or after a timeout."""
    gateway = _require_running(parts)
    try:
        if params.force:
            await gateway.open(force=True)
        _require_running(parts).start()  # asked again: the end may have begun meanwhile
    except PortUnusable as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    up = await gateway.until(lambda: gateway.connected, _start_timeout(gateway))
    return {"ok": up, "gateway": msgspec.to_builtins(gateway.status())}


@method("gateway.stop", ShutdownParams, changes=True)
async def stop(parts: Parts, params: ShutdownParams) -> Any:
    """Stop the gateway; return its row once it is down, or after a timeout."""
    gateway = parts.gateway
    answer: dict[str, Any] = {}
    if params.shutdown:
        answer["shutdown"] = await gateway.shut_down() or "asked for"
    gateway.stop()
    within = gateway.child.policy.stop_within + DOWN_WITHIN
    answer["ok"] = await gateway.until(lambda: gateway.child.state.phase is Phase.STOPPED, within)
    return answer | {"gateway": msgspec.to_builtins(gateway.status())}


@method("device.bootstrap.create", BootstrapParams, asks_caller=True, changes=True)
async def create_bootstrap_token(parts: Parts, params: BootstrapParams, *, caller: Caller) -> Any:
    """Return a one-time token that signs a browser in, and the addresses of the console."""
    if caller.remote:
        raise RemoteError(FORBIDDEN, "only this host's operator may ask for a one-time token")
    config = parts.configuration.config.gateway
    if not (config.http.enabled and config.control_ui.enabled):
        switch = "http" if not config.http.enabled else "controlUi"
        raise RemoteError(INVALID_REQUEST, f"the console is off: gateway.{switch}.enabled is false")
    given = {} if params.scopes is None else {"scopes": params.scopes}
    answer = await parts.gateway.ask("device.bootstrap.create", given)
    base = config.control_ui.base_path.rstrip("/")
    places = {"url": parts.gateway.url, "publicUrl": config.public_url}
    return answer | {
        name: f"{re.sub('^ws', 'http', address).rstrip('/')}{base}/"
        for name, address in places.items()
        if address is not None
    }


@method("gateway.warnings", WarningsParams)
async def warnings(parts: Parts, params: WarningsParams) -> Any:
    """Store the warnings of our own gateway's process, until it ends."""
    parts.gateway.warn(params.warnings)
    return {"ok": True}


@method("agents.attached", AttachedParams)
async def attached(parts: Parts, params: AttachedParams) -> Any:
    """Update agents without a process by whether programs are attached in their place."""
    parts.links.set_attached(params.agents)
    return {"ok": True}


@method("gateway.restart", NoParams, changes=True)
async def restart(parts: Parts, params: NoParams) -> Any:
    """Restart the gateway; return once a process that was spawned after the request is up.

    Only such a process has read the current configuration.
    """
    gateway = _require_running(parts)
    before = gateway.spawned
    try:
        answer = gateway.restart()
    except PortUnusable as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    up = await gateway.until(
        lambda: gateway.connected and gateway.spawned > before, _start_timeout(gateway)
    )
    row: dict[str, Any] = {"ok": up, "outcome": answer.outcome.value}
    if answer.after:
        row["retryAfterMs"] = round(answer.after * 1000)
    return row | {"gateway": msgspec.to_builtins(gateway.status())}


@method("gateway.restart.request", RestartParams, changes=True)
async def request_restart(parts: Parts, params: RestartParams) -> Any:
    """Restart the gateway after a delay, so that a client of it still gets this answer."""
    loop = asyncio.get_running_loop()
    loop.call_later(params.delay_ms / 1000, _restart_unless_ending, parts)
    scheduled = {"ok": True, "delayMs": params.delay_ms, "reason": params.reason or "requested"}
    return {"ok": True, "status": "scheduled", "restart": scheduled}


def _restart_unless_ending(parts: Parts) -> None:
    """Restart the gateway, for a request that has been answered: a failure goes to the log."""
    try:
        _require_running(parts).restart()
    except (RemoteError, PortUnusable) as error:
        log.warning("requested restart of the gateway not carried out", reason=str(error))


def _start_timeout(gateway: ManagedGateway) -> float:
    """Return the seconds to wait for a start; a foreign gateway is slow."""
    return UP_WITHIN if gateway.kind.name == "own" else gateway.child.policy.ready_within


def _require_running(parts: Parts) -> ManagedGateway:
    """Return the gateway; raises ``RemoteError`` when the end has begun."""
    if parts.shutdown.begun:
        raise RemoteError(UNAVAILABLE, "the supervisor is stopping")
    return parts.gateway
