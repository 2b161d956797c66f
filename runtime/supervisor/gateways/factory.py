"""Makes the source of the gateway that the configuration asks for."""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from ipc.frames.bootstrap import GatewayBoot
from ipc.identity.device import Identity, IdentityError
from runtime.config.model import GatewayConfig
from runtime.supervisor.gateways import attached, foreign
from runtime.supervisor.gateways.attached import AttachedGateway
from runtime.supervisor.gateways.foreign import ForeignGateway, Program
from runtime.supervisor.gateways.interface import Source
from runtime.supervisor.gateways.operator_session import Access
from runtime.supervisor.gateways.own import OwnGateway
from runtime.supervisor.gateways.own_session import Reporter
from runtime.supervisor.gateways.port import url_of
from runtime.supervisor.lifecycle import GATEWAY_POLICY, Policy
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from workers.secrets import reveal

IDENTITY = "identity.json"  # in the state directory
DEFAULT_PORTS = {"ws": 80, "wss": 443}

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Kit:
    """What the supervisor gives to whichever gateway it is. ``again(reason)`` has another process
    follow at once when the present one ends.
    """

    version: str
    state_dir: Path
    launcher: Launcher
    logs: LogStore
    boot: Callable[[int, str], GatewayBoot]
    reporter: Reporter
    answer: Callable[[str, Any], Awaitable[Any]]
    again: Callable[[str], None]


def source_of(config: GatewayConfig, host: str, port: int, kit: Kit) -> Source:
    """Return what ``config`` asks for: ours, the program of ``command``, or that at ``url``."""
    if config.url is not None:
        return attachment(config, config.url, kit)
    if config.command is not None:
        program = Program(
            command=tuple(config.command),
            host=host,
            port=port,
            repair=tuple(config.repair_command or ()),
            reload_signal=_signal(config.reload_signal),
            silence=config.silent_after_seconds or foreign.SILENCE,
        )
        return ForeignGateway(
            program,
            access(config, url_of(host, port), kit),
            launcher=kit.launcher,
            logs=kit.logs,
            again=kit.again,
            policy=policy_of(config),
        )
    return OwnGateway(
        host,
        port,
        version=kit.version,
        launcher=kit.launcher,
        logs=kit.logs,
        boot=kit.boot,
        reporter=kit.reporter,
        answer=kit.answer,
        silence=config.silent_after_seconds or 30.0,
        policy=policy_of(config),
        certificate=config.tls.cert_path if config.tls.enabled else None,
    )


def attachment(config: GatewayConfig, url: str, kit: Kit) -> AttachedGateway:
    """Return a gateway that runs already and stays what it is."""
    return AttachedGateway(
        access(config, url, kit),
        port_of(url),
        silence=config.silent_after_seconds or attached.SILENCE,
        policy=policy_of(config, attached=True),
    )


def policy_of(config: GatewayConfig, *, attached: bool = False) -> Policy:
    """Return how patiently the gateway is kept alive."""
    if attached:
        return replace(_ATTACHED, ready_within=config.ready_within_seconds or 60.0)
    if config.command is None:
        base = GATEWAY_POLICY
    else:
        base = replace(
            foreign.POLICY, ready_within=foreign.READY_WITHIN, stop_within=foreign.STOP_WITHIN
        )
    return replace(
        base,
        ready_within=config.ready_within_seconds or base.ready_within,
        stop_within=config.stop_within_seconds or base.stop_within,
    )


_ATTACHED = attached.POLICY


def access(config: GatewayConfig, url: str, kit: Kit) -> Access:
    """Return how to get into a gateway that is not ours."""
    auth = config.auth

    async def token() -> str | None:
        secret = auth.token if auth.token is not None else auth.password
        # A reference may be a file or a program: neither belongs on the loop.
        return None if secret is None else await asyncio.to_thread(reveal, secret)

    return Access(url, kit.version, token, functools.partial(_identity, kit.state_dir / IDENTITY))


async def _identity(path: Path) -> Identity | None:
    try:
        return await asyncio.to_thread(Identity.load, path)
    except IdentityError as error:
        log.warning("no device identity: connecting with fewer scopes", error=str(error))
        return None


def port_of(url: str) -> int:
    """Return the port of a gateway's address."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def _signal(name: str | None) -> int | None:
    return None if name is None else signal.Signals[name].value
