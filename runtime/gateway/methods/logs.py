"""``logs.tail``: the log lines of all processes, from a cursor on."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Strict, method


class Tail(Strict):
    """``cursor`` is where the last answer ended; without it the newest lines come."""

    cursor: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=5000)] = 500
    max_bytes: Annotated[int, Meta(ge=1, le=1_000_000)] = 250_000


@method("logs.tail", READ, Tail)
async def logs_tail(client: ConnectedClient, params: Tail) -> Any:
    """Answer with log lines, each a JSON object as text, and the `cursor` to go on from."""
    return await client.hub.ask_supervisor("logs.tail", msgspec.to_builtins(params))
