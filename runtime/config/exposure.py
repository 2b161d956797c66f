"""Who could reach the gateway without proving anything: nobody, or it does not start."""

from __future__ import annotations

import ipaddress

from runtime.config.errors import Problem
from runtime.config.model import GatewayConfig

LOOPBACK = frozenset({"loopback", "auto"})


def exposure(gateway: GatewayConfig) -> Problem | None:
    """Return what is wrong with the gateway's authentication for where it listens."""
    auth = gateway.auth
    if gateway.url is not None:
        return None  # not ours to protect
    secret = auth.token is not None or auth.password is not None
    if auth.mode == "none":
        if not is_local(gateway.bind):
            text = f"is {gateway.bind!r}; allowed with auth.mode none: loopback"
            return Problem("gateway.bind", text)
    elif auth.mode == "trusted-proxy":
        if not gateway.trusted_proxies:
            text = "is empty; auth.mode trusted-proxy needs the addresses of the proxies"
            return Problem("gateway.trustedProxies", text)
    elif not secret:
        name = "gateway.auth.password" if auth.mode == "password" else "gateway.auth.token"
        text = "is missing; allowed: a string, a reference, or TRUNKLINE_GATEWAY_TOKEN"
        return Problem(name, text)
    return None


def is_local(bind: str) -> bool:
    """Say whether ``gateway.bind`` is this host alone."""
    if bind in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False
