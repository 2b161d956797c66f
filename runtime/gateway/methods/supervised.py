"""What the supervisor knows about accounts (ours): history, log lines, holds, reset, drain."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, Strict, method

DRAIN_MARGIN = 15.0  # seconds for the stop after the drain
Key = Annotated[str, Meta(min_length=1, max_length=129)]


class One(Strict):
    """One account by its key."""

    account: Key


class Several(Strict):
    """Keys, bare channel names, or ``*``."""

    accounts: list[Key]


class Lines(Strict):
    """The last ``lines`` of these accounts; of every process when none is named."""

    accounts: list[Key] = []
    lines: Annotated[int, Meta(ge=1, le=10_000)] = 100


class Drain(Strict):
    """Keys, bare channel names, or ``*``; after ``timeout_ms`` they are stopped anyway."""

    accounts: list[Key]
    reason: Annotated[str, Meta(max_length=500)] | None = None
    timeout_ms: Annotated[int, Meta(ge=0, le=600_000)] = 30_000


@method("channels.describe", READ, One, ours=True)
async def channels_describe(client: ConnectedClient, params: One) -> Any:
    """Say why an account is as it is and what comes next."""
    return await _ask(client, "channels.describe", params)


@method("channels.events", READ, One, ours=True)
async def channels_events(client: ConnectedClient, params: One) -> Any:
    """Answer with the history of an account: its phases, causes and incarnations."""
    return await _ask(client, "channels.events", params)


@method("channels.logs", READ, Lines, ours=True)
async def channels_logs(client: ConnectedClient, params: Lines) -> Any:
    """Answer with the last log lines of accounts, or of every process."""
    return await _ask(client, "channels.logs", params)


@method("channels.holds", READ, Nothing, ours=True)
async def channels_holds(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the manual stops that are remembered."""
    return await _ask(client, "channels.holds", params)


@method("channels.reset", ADMIN, Several, ours=True)
async def channels_reset(client: ConnectedClient, params: Several) -> Any:
    """Forgive accounts their failures."""
    return await _ask(client, "channels.reset", params)


@method("channels.drain", ADMIN, Drain, ours=True)
async def channels_drain(client: ConnectedClient, params: Drain) -> Any:
    """Stop accounts once their messages in flight are done, inbound acknowledged and outbound
    sent; `drained` says of each whether that was in time.
    """
    return await _ask(client, "channels.drain", params, params.timeout_ms / 1000 + DRAIN_MARGIN)


async def _ask(
    client: ConnectedClient, name: str, params: Strict, seconds: float = 20.0
) -> msgspec.Raw:
    given = {key: each for key, each in msgspec.to_builtins(params).items() if each is not None}
    return await client.hub.ask_supervisor(name, given, seconds)
