"""Which gateway a command means, and with which secret.

``--url`` wins, then ``OPENCLAW_GATEWAY_URL``, then our own gateway as its supervisor
says. The configuration's token goes only to our own gateway, never to a URL that was typed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from ops.connect.address import Gateway
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
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
    """Return our own gateway as the daemon runs with it; exit 3 without a daemon.

    Never as the file says: who listens on that port then is a stranger to our secrets.
    """
    from ops.connect.supervisor import supervisor

    async with supervisor(places) as client:
        found: Any = await client.call("gateway.access", {}, timeout=5.0)
    secret = token or os.environ.get(TOKEN_VARIABLES[0]) or _reveal(found["token"])
    password = None if secret else _reveal(found["password"])
    return Gateway(
        found["url"], secret or _token_from_environment(), password, found["certificate"]
    )


def _token_from_environment() -> str | None:
    return next((os.environ[name] for name in TOKEN_VARIABLES if os.environ.get(name)), None)


def _reveal(secret: Any) -> str | None:
    """Return the secret behind a reference; exit 78 where there is none."""
    from workers.errors import Misconfigured
    from workers.secrets import SecretRef, reveal

    if secret is None:
        return None
    try:
        return reveal(msgspec.convert(secret, str | SecretRef))
    except Misconfigured as error:
        raise OperatorError(f"gateway.auth: {error}", Exit.CONFIGURATION) from None
