"""Creates the kind of gateway that the configuration selects."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import structlog
from msgspec.structs import replace

from ipc.identity.device import Identity, IdentityError
from runtime.config.gateway_model import GatewayConfig
from runtime.supervisor.gateways import attached, foreign
from runtime.supervisor.gateways.attached import AttachedGateway
from runtime.supervisor.gateways.foreign import ForeignGateway, Program
from runtime.supervisor.gateways.interface import GatewayContext, GatewayKind
from runtime.supervisor.gateways.operator_session import Access
from runtime.supervisor.gateways.own import OwnGateway
from runtime.supervisor.gateways.port import url_of
from runtime.supervisor.policy import GATEWAY_POLICY, Policy
from workers.secrets import reveal

IDENTITY = "identity.json"  # in the state directory
DEFAULT_PORTS = {"ws": 80, "wss": 443}

log = structlog.get_logger("gateway")


class GatewayFactory(msgspec.Struct, frozen=True):
    """Creates gateways. The device identity is stored in ``state_dir``."""

    context: GatewayContext
    state_dir: Path

    def make(self, config: GatewayConfig, host: str, port: int) -> GatewayKind:
        """Return the gateway that ``config`` selects: our own, a program, or the one at a URL."""
        if config.url is not None:
            return self.attach(config, config.url)
        if config.command is not None:
            return self._foreign(config, config.command, host, port)
        return OwnGateway(
            host,
            port,
            self.context,
            silence=config.silent_after_seconds or 30.0,
            policy=policy_of(config),
            certificate=config.tls.cert_path if config.tls.enabled else None,
        )

    def attach(self, config: GatewayConfig, url: str) -> AttachedGateway:
        """Return a gateway that already runs at ``url``, to attach to."""
        return AttachedGateway(
            self._access(config, url),
            port_of(url),
            silence=config.silent_after_seconds or attached.SILENCE,
            policy=policy_of(config, attached=True),
        )

    def _foreign(
        self, config: GatewayConfig, command: list[str], host: str, port: int
    ) -> ForeignGateway:
        program = Program(
            command=tuple(command),
            host=host,
            port=port,
            repair=tuple(config.repair_command or ()),
            reload_signal=_signal(config.reload_signal),
            silence=config.silent_after_seconds or foreign.SILENCE,
        )
        access = self._access(config, url_of(host, port))
        return ForeignGateway(program, access, self.context, policy=policy_of(config))

    def _access(self, config: GatewayConfig, url: str) -> Access:
        """Return the credentials for a gateway that is not ours."""
        auth = config.auth

        async def token() -> str | None:
            secret = auth.token if auth.token is not None else auth.password
            # A reference may be a file or a program: neither belongs on the loop.
            return None if secret is None else await asyncio.to_thread(reveal, secret)

        return Access(url, self.context.version, token, self._identity)

    async def _identity(self) -> Identity | None:
        try:
            return await asyncio.to_thread(Identity.load, self.state_dir / IDENTITY)
        except IdentityError as error:
            log.warning("no device identity: connecting with fewer scopes", error=str(error))
            return None


def policy_of(config: GatewayConfig, *, attached: bool = False) -> Policy:
    """Return the lifecycle policy of the gateway."""
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


def port_of(url: str) -> int:
    """Return the port of a gateway's address."""
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS.get(parts.scheme, 0)


def _signal(name: str | None) -> int | None:
    return None if name is None else signal.Signals[name].value
