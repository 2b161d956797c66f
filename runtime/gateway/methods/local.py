"""Talks to accounts of the channel ``local`` as a person: ``local.say``. Ours."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from ipc.endpoints import find_local_socket, socket_path
from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, Phase
from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.methods.asking import log_change
from runtime.gateway.methods.channels import Name
from runtime.gateway.parts import GatewayParts

CHANNEL = "local"
# Of the lines that a terminal understands those that would make another person of this one.
WORDS = ("/nick", "/ends")


class LocalSayParams(Params):
    """The params of ``local.say``: who says what to which account; each line is a message."""

    account_id: Name
    name: Annotated[str, Meta(min_length=1, max_length=32)]
    text: Annotated[str, Meta(min_length=1, max_length=10_000)]


@method("local.say", ADMIN, LocalSayParams, ours=True)
async def local_say(parts: GatewayParts, client: ConnectedClient, params: LocalSayParams) -> Any:
    """Send a message to an account of the channel `local` as a person of that name. It is as if the
    person used `trunkline chat` on the host, and stays until an hour after the last message;
    messages and answers come as the event `channel.message`.
    """
    key = parts.accounts.resolve("local.say", CHANNEL, params.account_id)
    lines = [line for line in params.text.splitlines() if line.strip()]
    if not lines or any(line.split()[0] in WORDS for line in lines):
        text = f"say something else than nothing, {' or '.join(WORDS)}: those are for terminals"
        raise RemoteError(INVALID_REQUEST, text)
    if not params.name.isprintable() or any(map(str.isspace, params.name)):
        raise RemoteError(INVALID_REQUEST, f"{params.name!r} cannot be a name: it is one word")
    row = parts.accounts.rows[key]
    if row.phase != Phase.RUNNING:
        raise RemoteError(UNAVAILABLE, f"{key} is {row.phase}", retryable=True)
    path = find_local_socket(socket_path(parts.boot.data).parent, key)
    if await parts.local_people.send(key, path, params.name, lines):
        log_change(parts, client, "talks as a person", account=key, name=params.name)
    return {"account": key, "chat": params.name, "lines": len(lines)}
