"""Which gateway a command means, and with which secret.

``--url`` wins, then ``OPENCLAW_GATEWAY_URL``, then our own gateway as its configuration
says. The configuration's token goes only to our own gateway, never to a URL that was typed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ops.address import Gateway
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
    from runtime.config.model import Config
    from runtime.config.places import Places

TOKEN_VARIABLES = ("TRUNKLINE_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN")
PASSWORD_VARIABLE = "OPENCLAW_GATEWAY_PASSWORD"  # noqa: S105 - the name of a variable


def elsewhere(url: str, token: str | None) -> Gateway:
    """Return the gateway at ``url`` with the secret given by flag or environment."""
    if not url.startswith(("ws://", "wss://")):
        raise OperatorError(f"--url must begin with ws:// or wss://, not {url!r}", Exit.USAGE)
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, half an IPv6 address
        whole = False
    if not whole:
        text = f"--url is no address of a gateway (ws://host:port): {url!r}"
        raise OperatorError(text, Exit.USAGE)
    return Gateway(url, token or _token_from_environment(), os.environ.get(PASSWORD_VARIABLE))


async def own(places: Places, token: str | None = None) -> Gateway:
    """Return our own gateway: where the supervisor says it is, else where it would be."""
    configured = _configured(places)
    url = await _running_url(places) or _configured_url(configured)
    if url is None:
        raise _no_gateway(places)
    auth = configured.gateway.auth if configured else None
    secret = token or os.environ.get(TOKEN_VARIABLES[0])
    if secret is None and auth is not None:
        secret = _reveal(auth.token)
    password = None if secret or auth is None else _reveal(auth.password)
    tls = configured.gateway.tls if configured else None
    certificate = tls.cert_path if tls is not None and tls.enabled else None
    return Gateway(url, secret or _token_from_environment(), password, certificate)


def _token_from_environment() -> str | None:
    return next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), None)


def _no_gateway(places: Places) -> OperatorError:
    return OperatorError(
        f"no supervisor is running for {places.state_dir}, and it has no configuration;"
        " start one with `trunkline up`, or give --url",
        Exit.NOT_RUNNING,
    )


async def _running_url(places: Places) -> str | None:
    from ipc.errors import IpcError
    from ops.link import supervisor

    try:
        async with supervisor(places) as client:
            status: Any = await client.call("supervisor.status", {}, timeout=5.0)
    except (OperatorError, IpcError):
        return None  # the gateway may answer all the same; if not, that is the error to tell
    return status["gateway"]["url"] or None


def _configured(places: Places) -> Config | None:
    from runtime.config.load import load
    from runtime.config.overrides import effective

    if not places.config_path.exists():
        return None
    found = load(places.config_path, default_port=places.default_port)
    return effective(found.config, os.environ)


def _configured_url(config: Config | None) -> str | None:
    if config is None:
        return None
    bind = config.gateway.bind
    host = "127.0.0.1" if bind in ("loopback", "auto", "lan", "0.0.0.0", "::") else bind  # noqa: S104 - compared, not bound
    scheme = "wss" if config.gateway.tls.enabled else "ws"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.gateway.port}"


def _reveal(secret: Any) -> str | None:
    """Return the secret behind a reference; exit 78 where there is none."""
    from workers.errors import Misconfigured
    from workers.secrets import reveal

    if secret is None:
        return None
    try:
        return reveal(secret)
    except Misconfigured as error:
        raise OperatorError(f"gateway.auth: {error}", Exit.CONFIGURATION) from None
