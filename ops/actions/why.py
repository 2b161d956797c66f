"""Asks the gateway why a person's message is answered, or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.actions.ask import ask_gateway
from ops.connect.selection import split
from ops.connect.target import RuntimeTarget
from ops.exits import UsageFailure


@dataclass(frozen=True, slots=True)
class SenderPlace:
    """Where a sender writes: in a direct chat, or in the group ``chat``.

    ``thread`` is one of the chat's threads or topics. ``guild`` is the Discord server of the
    group, and ``roles`` are what the sender is there.
    """

    chat: str | None = None
    thread: str | None = None
    guild: str | None = None
    roles: Sequence[str] = ()


def ask_why(target: RuntimeTarget, key: str, sender: str, place: SenderPlace) -> Any:
    """Return what ``channels.why`` answers about a sender in a place."""
    channel, account = split(key)
    if place.chat is None and (place.guild or place.roles):
        raise UsageFailure("--guild and --role go with --chat ID")
    params: dict[str, Any] = {"channel": channel, "accountId": account, "senderId": sender}
    given = asdict(place) | {"roles": list(place.roles)}
    return ask_gateway(target, "channels.why", params | {k: v for k, v in given.items() if v})
