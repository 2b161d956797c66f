"""What may be said about a gateway that is not ours, and what may stand beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from runtime.config.accounts import AccountSpec
from runtime.config.errors import Problem

_OF_COMMAND = ("reloadSignal", "repairCommand")


def foreign_problems(gateway: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the fields of a foreign gateway, as they stand in the file."""
    found = []
    command, url = gateway.get("command"), gateway.get("url")
    if command is not None and url is not None:
        text = "stands beside gateway.command; allowed: one of them, a gateway is run or attached"
        found.append(Problem("gateway.url", text))
    if isinstance(url, str) and not _is_websocket(url):
        text = "is no address of a gateway; allowed: ws://HOST:PORT or wss://HOST:PORT"
        found.append(Problem("gateway.url", text))
    if command is None:
        found += [
            Problem(f"gateway.{name}", "has no meaning without gateway.command")
            for name in _OF_COMMAND
            if gateway.get(name) is not None
        ]
    return found


def companions(specs: Mapping[str, AccountSpec]) -> list[Problem]:
    """Return a problem for each account that would run beside a foreign gateway."""
    return [Problem(spec_path(spec), _BESIDE) for spec in running(specs.values())]


def running(specs: Iterable[AccountSpec]) -> list[AccountSpec]:
    """Return the accounts that would be started."""
    return [spec for spec in specs if spec.enabled and spec.configured]


_BESIDE = (
    "cannot run beside a gateway that is not Trunkline's own; "
    "allowed: enabled: false, or neither gateway.command nor gateway.url"
)


def spec_path(spec: AccountSpec) -> str:
    """Return where the account stands in the file."""
    return f"channels.{spec.channel}.accounts.{spec.account_id}"


def _is_websocket(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
