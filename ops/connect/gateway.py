"""Finds the gateway that a command addresses, and its secret, and connects to it.

``--url`` comes first, then ``OPENCLAW_GATEWAY_URL``, then our own gateway as its supervisor
reports it. The configuration's token is sent only to our own gateway, never to a typed URL.

A gateway gives clients of other hosts no rights for the shared secret alone: they are devices, each
approved once. So commands for a URL of another host prove a key of their own.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ipc import timeouts
from ipc.errors import ConnectionFailed, RemoteError
from ipc.frames.words import NOT_PAIRED
from ipc.hidden_fields import hide_fields
from ipc.hosts import is_address, is_loopback_host, wrong_name
from ipc.identity.device import Identity, IdentityError
from ipc.identity.trust import trusting
from ipc.websocket.inbox import OnEvent
from ipc.websocket.reconnecting import ReconnectingClient, Subscription
from ops.connect.identity import client_description
from ops.connect.places import places_of
from ops.connect.supervisor import call_supervisor
from ops.connect.target import RuntimeTarget
from ops.exits import ExitCode, OperatorError
from runtime.config.places import Places

TOKEN_VARIABLES = ("TRUNKLINE_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN")
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"  # noqa: S105 - the name of a variable
# Of OpenClaw, whose gateway does not name them: what may be asked twice.
READ_ONLY = (
    "agents.list",
    "channels.status",
    "config.get",
    "device.pair.list",
    "health",
    "logs.tail",
    "node.list",
    "node.pair.list",
    "status",
    "system-presence",
)
IDENTITY = "cli-identity.json"  # in the state directory: the device that the commands here are
LACKS_RIGHTS = "missing scope"  # in the refusal of a request, of OpenClaw's gateway, too
PATIENCE = 60.0  # seconds; OpenClaw's gateway is away for 16 when it restarts


@hide_fields("token", "password")
@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """The URL and the secret of a gateway.

    ``certificate`` is the certificate file of our own gateway, if its port is encrypted.
    ``identity`` is the file of the device that proves itself, if the gateway is on another host.
    """

    url: str
    token: str | None = None
    password: str | None = None
    certificate: str | None = None
    identity: Path | None = None


def address_at(url: str, token: str | None) -> GatewayAddress:
    """Return the address of the gateway at ``url``, with the secret of the option or environment.

    Raises ``OperatorError`` (exit 2) for anything but a WebSocket URL.
    """
    if not url.startswith(("ws://", "wss://")):
        raise OperatorError(f"--url must begin with ws:// or wss://, not {url!r}", ExitCode.USAGE)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        named = is_address(host) or wrong_name(host) is None
        whole = bool(host) and parts.port != 0 and named
    except ValueError:  # a port out of range, half an IPv6 address
        whole = False
    if not whole:
        text = f"--url is not the address of a gateway (ws://host:port): {url!r}"
        raise OperatorError(text, ExitCode.USAGE)
    token = token or _token_from_environment()
    return GatewayAddress(url, token, os.environ.get(PASSWORD_VARIABLE))


async def own_address(places: Places, token: str | None = None) -> GatewayAddress:
    """Return the address of our own gateway from the running daemon; exit 3 without a daemon.

    Never from the file: another process may listen on that port, and must not get the secrets.
    """
    found: Any = await call_supervisor(places, "gateway.access", {}, timeout=5.0)
    secret = token or os.environ.get(TOKEN_VARIABLES[0]) or _reveal(found["token"])
    password = None if secret else _reveal(found["password"])
    token = secret or _token_from_environment()
    return GatewayAddress(found["url"], token, password, found["certificate"])


async def address_of(target: RuntimeTarget) -> GatewayAddress:
    """Return the address of the target's gateway: the one at its URL, else our own."""
    if not target.url:
        return await own_address(places_of(target), target.token)
    address = address_at(target.url, target.token)
    if is_loopback_host(urlsplit(address.url).hostname or ""):
        return address
    return replace(address, identity=places_of(target).state_dir / IDENTITY)


@asynccontextmanager
async def connected_gateway(
    address: GatewayAddress,
    *,
    timeout: float = 10.0,
    on_event: OnEvent | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[ReconnectingClient]:
    """Connect to a gateway; close the connection at the end.

    ``on_event`` also gets our own events. The client reconnects after restarts; it ends if the
    gateway is unreachable for ``patience`` seconds. Raises ``OperatorError``: exit 3 if nothing
    answers there, 4 if that takes longer than ``timeout`` seconds, 1 if it must approve the device
    first.
    """
    pending: RemoteError | None = None  # the refusal of our device until it is approved
    try:
        try:
            client = await _opened(address, timeout, on_event, patience)
        except RemoteError as error:
            if error.code != NOT_PAIRED or address.identity is None:
                raise
            pending = error
            # The shared secret alone gives no rights, but some requests need none.
            client = await _opened(replace(address, identity=None), timeout, on_event, patience)
        try:
            yield client
        finally:
            await client.close()
    except RemoteError as error:
        if pending is None or LACKS_RIGHTS not in error.message:
            raise
        raise OperatorError(_approval(address.url, pending)) from error


async def _opened(
    address: GatewayAddress, timeout: float, on_event: OnEvent | None, patience: float
) -> ReconnectingClient:
    """Return a connected client; raises ``OperatorError`` if nothing answers."""
    client = _client_of(address, timeout, on_event, patience)
    try:
        async with timeouts.timeout(timeout):
            await client.open()
    except TimeoutError:
        raise OperatorError(
            f"the gateway at {address.url} does not answer within {timeout:g} s",
            ExitCode.TIMEOUT,
        ) from None
    except ConnectionFailed as error:
        if not error.retryable:
            raise
        raise OperatorError(
            f"no gateway answers at {address.url}: {error.reason}", ExitCode.NOT_RUNNING
        ) from error
    return client


def _approval(url: str, error: RemoteError) -> str:
    """Return how an operator of the gateway at ``url`` approves the device of this host."""
    request = (error.details or {}).get("requestId", "REQUEST")
    return (
        f"the gateway at {url} must approve this computer once: run `trunkline devices approve"
        f" {request}` on its host (`openclaw devices approve` for OpenClaw's) within five minutes,"
        " then repeat this command"
    )


def _client_of(
    address: GatewayAddress, timeout: float, on_event: OnEvent | None, patience: float
) -> ReconnectingClient:
    client = client_description("gateway-client", "backend")
    if address.identity is not None:  # for the operator who approves it
        client["displayName"] += f" on {gethostname()}"
    return ReconnectingClient(
        address.url,
        token=address.token,
        password=address.password,
        client=client,
        timeout=2 * timeout,  # the caller's own is to end it first, with its sentence
        on_event=on_event,
        subscribe=Subscription() if on_event else None,
        safe=READ_ONLY,
        patience=patience,
        identity=None if address.identity is None else _identity(address.identity),
        tls=None if address.certificate is None else trusting(address.certificate),
    )


def _identity(path: Path) -> Identity:
    """Load the device of this host, or make it; raises ``OperatorError`` if that fails."""
    try:
        return Identity.load(path)
    except IdentityError as error:
        raise OperatorError(str(error)) from None


def _token_from_environment() -> str | None:
    return next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), None)


def _reveal(secret: Any) -> str | None:
    """Resolve a reference to a secret; exit 78 if that fails."""
    from workers.errors import Misconfigured
    from workers.secrets import SecretRef, reveal

    if secret is None:
        return None
    try:
        return reveal(msgspec.convert(secret, str | SecretRef))
    except Misconfigured as error:
        raise OperatorError(f"gateway.auth: {error}", ExitCode.CONFIGURATION) from None
