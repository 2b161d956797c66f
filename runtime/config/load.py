"""Reads the configuration file into values that need no further doubt.

The only way in: parse, find everything that is wrong, convert. Precedence over the file
(flags, environment) is in ``places.py``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from runtime.config.accounts import AccountSpec, accounts
from runtime.config.check import not_finite, problems
from runtime.config.errors import ConfigError, Problem
from runtime.config.foreign import companions, foreign_problems
from runtime.config.model import Config
from runtime.config.port import DEFAULT_PORT
from runtime.config.text.parse import parse, read_text
from workers.registry import Manifests
from workers.registry import manifests as find_manifests

BINDS = ("loopback", "lan", "auto")  # beside an IP address


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that is valid. ``revision`` changes with every byte of the file."""

    config: Config
    accounts: dict[str, AccountSpec]
    revision: str
    path: Path
    raw: dict[str, Any]
    manifests: Manifests


class Reader(Protocol):
    """Reads the configuration; or judges ``text`` as if it were the file. Raises
    ``ConfigError`` for what it refuses.
    """

    def __call__(self, text: str | None = None) -> Loaded:
        """Return the configuration that is valid."""
        ...


def load(
    path: Path, manifests: Manifests | None = None, *, default_port: int = DEFAULT_PORT
) -> Loaded:
    """Read and check the file at ``path``.

    ``default_port`` is the port where the file has none (a profile has its own). Raises
    ``ConfigError`` with all problems; a text that cannot be parsed has only that one.
    """
    return load_text(path, read_text(path), manifests, default_port=default_port)


def load_text(
    path: Path,
    text: str,
    manifests: Manifests | None = None,
    *,
    default_port: int = DEFAULT_PORT,
) -> Loaded:
    """Check ``text`` as if it were the file at ``path``: an edit does so before it writes."""
    known = find_manifests() if manifests is None else manifests
    raw, lines = parse(path, text)
    if found := list(not_finite(raw)):
        raise ConfigError(str(path), [_with_line(problem, lines) for problem in found])
    found = problems(raw, Config) + _gateway_problems(raw)
    config = _partial(raw) if found else msgspec.convert(raw, Config)
    specs: dict[str, AccountSpec] = {}
    try:
        specs = accounts(config, known, str(path))
    except ConfigError as error:
        found += error.problems
    if config.gateway.foreign:
        found += companions(specs)
    if found:
        raise ConfigError(str(path), [_with_line(problem, lines) for problem in found])
    if "port" not in raw.get("gateway", {}):
        config = with_gateway(config, port=default_port)
    revision = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Loaded(config, specs, revision, path, raw, known)


def with_gateway(config: Config, **fields: Any) -> Config:
    """Return ``config`` with some fields of its gateway replaced."""
    gateway = msgspec.structs.replace(config.gateway, **fields)
    return msgspec.structs.replace(config, gateway=gateway)


def _partial(raw: Mapping[str, Any]) -> Config:
    """Return what can be judged of a file that is wrong elsewhere: its accounts."""
    given = raw.get("channels")
    sections = given.items() if isinstance(given, Mapping) else ()
    return Config(
        channels={name: dict(each) for name, each in sections if isinstance(each, Mapping)}
    )


def _gateway_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Return what the types cannot say about the gateway."""
    gateway = raw.get("gateway")
    if not isinstance(gateway, Mapping):
        return []
    found = foreign_problems(gateway)
    bind = gateway.get("bind")
    if isinstance(bind, str) and bind and bind not in BINDS and not _is_address(bind):
        words = " | ".join(f'"{word}"' for word in BINDS)
        found.append(Problem("gateway.bind", f"is {bind!r}; allowed: {words} or an IP address"))
    proxies = gateway.get("trustedProxies")
    for index, proxy in enumerate(proxies if isinstance(proxies, list) else ()):
        if isinstance(proxy, str) and not _is_network(proxy):
            text = f"is {proxy!r}; allowed: an IP address or a network such as 10.0.0.0/8"
            found.append(Problem(f"gateway.trustedProxies[{index}]", text))
    tls = gateway.get("tls")
    if isinstance(tls, Mapping) and tls.get("enabled") is True:
        found += [
            Problem(f"gateway.tls.{name}", "is missing; allowed: the path of a PEM file")
            for name in ("certPath", "keyPath")
            if not tls.get(name)
        ]
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _with_line(problem: Problem, lines: Mapping[str, int]) -> Problem:
    """Add the line of the value, or of the nearest thing around it that is in the file."""
    path = problem.path
    while path and path not in lines:
        path = re.sub(r"(\.|\[)[^.\[]*$", "", path) if re.search(r"[.\[]", path) else ""
    return replace(problem, line=problem.line or lines.get(path))
