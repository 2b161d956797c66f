"""Asks the gateway why a person's message is answered, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ops.actions.ask import ask_gateway
from ops.connect.selection import split
from ops.connect.target import RuntimeTarget
from ops.exits import UsageFailure


def ask_why(
    target: RuntimeTarget,
    key: str,
    sender: str,
    chat: str | None,
    guild: str | None,
    roles: Sequence[str],
) -> Any:
    """Return what ``channels.why`` answers about a sender, in a direct chat or in a group."""
    channel, account = split(key)
    if chat is None and (guild or roles):
        raise UsageFailure("--guild and --role go with --chat ID")
    params: dict[str, Any] = {"channel": channel, "accountId": account, "senderId": sender}
    given = {"chat": chat, "guild": guild, "roles": list(roles)}
    return ask_gateway(target, "channels.why", params | {k: v for k, v in given.items() if v})
