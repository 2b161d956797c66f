"""Checks rules for the gateway beyond its types: addresses, exposure, foreign gateways. Pure.

A gateway that could be used without proving anything does not start. Beside a gateway that is
not Trunkline's own no account can run.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ipc.hosts import is_address, wrong_address, wrong_name
from ipc.secret_patterns import without_secrets
from runtime.config.errors import Problem
from runtime.config.gateway_model import GatewayConfig
from runtime.config.model import Config
from runtime.config.worker_spec import WorkerSpec

BINDS = ("loopback", "lan", "auto")  # beside an IP address
LOOPBACK = frozenset({"loopback", "auto"})

# Any scheme: an application has one of its own (app://, tauri://).
_ORIGIN = re.compile(r"\*|null|file://|[a-z][a-z0-9+.-]*://[^/?#\s]+/?", re.IGNORECASE)

_PUBLIC = ("https", "http", "wss", "ws")  # schemes of gateway.publicUrl
_FOREIGN_COMMAND_ONLY = ("reloadSignal", "repairCommand")
_BESIDE_FOREIGN = (
    "cannot run beside a gateway that is not Trunkline's own; "
    "allowed: enabled: false, or neither gateway.command nor gateway.url"
)


def gateway_problems(gateway: object) -> list[Problem]:
    """Return the errors of the section ``gateway`` of the file."""
    if not isinstance(gateway, Mapping):
        return []  # the types refuse it
    return [
        *_foreign_problems(gateway),
        *_address_problems(gateway),
        *_tls_problems(gateway.get("tls")),
    ]


def exposure_problem(gateway: GatewayConfig) -> Problem | None:
    """Return why other people could use the gateway at its address, or ``None``."""
    auth = gateway.auth
    if gateway.url is not None:
        return None  # not ours to protect
    secret = auth.token is not None or auth.password is not None
    if auth.mode == "none":
        if not is_local(gateway.bind):
            text = f"is {gateway.bind!r}; allowed with auth.mode none: loopback"
            return Problem("gateway.bind", text)
        if "*" in gateway.allowed_origins:
            text = "holds '*', every web page; allowed with auth.mode none: origins by name"
            return Problem("gateway.allowedOrigins", text)
    elif auth.mode == "trusted-proxy":
        if not gateway.trusted_proxies:
            text = "is empty; auth.mode trusted-proxy needs the addresses of the proxies"
            return Problem("gateway.trustedProxies", text)
    elif not secret:
        name = "gateway.auth.password" if auth.mode == "password" else "gateway.auth.token"
        text = "is missing; allowed: a string, a reference, or TRUNKLINE_GATEWAY_TOKEN"
        return Problem(name, text)
    return None


def canvas_problem(config: Config) -> Problem | None:
    """Return why the canvas host cannot serve with ``config``, or ``None``."""
    canvas, gateway = config.canvas_host, config.gateway
    if not canvas.enabled:
        return None
    if gateway.foreign:
        text = "has no meaning beside a gateway that is not Trunkline's own; allowed: false"
        return Problem("canvasHost.enabled", text)
    if not gateway.http.enabled:
        text = "is true; allowed with gateway.http.enabled false: false"
        return Problem("canvasHost.enabled", text)
    if canvas.port == gateway.port:
        text = f"is {canvas.port}, the gateway's own port; allowed: another one, or none"
        return Problem("canvasHost.port", text)
    return None


def is_local(bind: str) -> bool:
    """Return whether ``gateway.bind`` is reachable only from this host."""
    if bind in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def beside_foreign_problems(specs: Mapping[str, WorkerSpec]) -> list[Problem]:
    """Return a problem for each account or agent that would run beside a foreign gateway."""
    return [
        Problem(spec.place, _BESIDE_FOREIGN)
        for spec in specs.values()
        if spec.enabled and spec.configured
    ]


def _foreign_problems(gateway: Mapping[str, Any]) -> Iterable[Problem]:
    """Yield the errors in the fields of a foreign gateway."""
    command, url = gateway.get("command"), gateway.get("url")
    if command is not None and url is not None:
        text = "stands beside gateway.command; allowed: one of them, a gateway is run or attached"
        yield Problem("gateway.url", text)
    if isinstance(url, str) and not _is_websocket(url):
        text = "is no address of a gateway; allowed: ws://HOST:PORT or wss://HOST:PORT"
        yield Problem("gateway.url", text)
    telemetry = gateway.get("telemetry")
    traces = isinstance(telemetry, Mapping) and telemetry.get("enabled") is True
    if traces and (command is not None or url is not None):
        text = "has no meaning beside a gateway that is not Trunkline's own; allowed: false"
        yield Problem("gateway.telemetry.enabled", text)
    if command is None:
        for name in _FOREIGN_COMMAND_ONLY:
            if gateway.get(name) is not None:
                yield Problem(f"gateway.{name}", "has no meaning without gateway.command")


def _address_problems(gateway: Mapping[str, Any]) -> Iterable[Problem]:
    """Yield the errors in the addresses to listen on and to trust."""
    bind = gateway.get("bind")
    if isinstance(bind, str) and bind and bind not in BINDS and not is_address(bind):
        words = " | ".join(f'"{word}"' for word in BINDS)
        yield Problem("gateway.bind", f"is {bind!r}; allowed: {words} or an IP address")
    url = gateway.get("publicUrl")
    if isinstance(url, str) and wrong_address(url, _PUBLIC):
        shown = without_secrets(url, "***")  # a login in it is one of the things that are wrong
        text = f"is {shown!r}; allowed: http(s)://HOST[:PORT], or ws(s)"
        yield Problem("gateway.publicUrl", text)
    origins = gateway.get("allowedOrigins")
    for index, origin in enumerate(origins if isinstance(origins, list) else ()):
        if isinstance(origin, str) and origin and not _ORIGIN.fullmatch(origin):
            shown = without_secrets(origin, "***")
            text = f'is {shown!r}; allowed: http(s)://HOST[:PORT], "*", "null" or "file://"'
            yield Problem(f"gateway.allowedOrigins[{index}]", text)
    proxies = gateway.get("trustedProxies")
    for index, proxy in enumerate(proxies if isinstance(proxies, list) else ()):
        if isinstance(proxy, str) and not _is_network(proxy):
            text = f"is {proxy!r}; allowed: an IP address or a network such as 10.0.0.0/8"
            yield Problem(f"gateway.trustedProxies[{index}]", text)


def _tls_problems(tls: object) -> Iterable[Problem]:
    """Yield a problem for each missing file name that encryption needs."""
    if isinstance(tls, Mapping) and tls.get("enabled") is True:
        for name in ("certPath", "keyPath"):
            if not tls.get(name):
                yield Problem(f"gateway.tls.{name}", "is missing; allowed: the path of a PEM file")


def _is_websocket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        known = parts.scheme in ("ws", "wss") and parts.port != 0
        return known and bool(host) and (is_address(host) or wrong_name(host) is None)
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
