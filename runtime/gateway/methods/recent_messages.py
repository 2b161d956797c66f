"""Shows the newest messages of all accounts: ``messages.recent``. Ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.frames.requests import Params
from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts

LOOKED_AT = 4000  # payloads of all accounts together, which takes a few milliseconds
LEAST = 2  # of each account


class RecentParams(Params):
    """The params of ``messages.recent``: how many, of some ``accounts`` or of all."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    accounts: list[Annotated[str, Meta(min_length=1, max_length=129)]] | None = None


class _When(msgspec.Struct):
    ts: int = 0


class _Payload(msgspec.Struct):
    """What is read of an event: one without a message is no ``channel.message``."""

    message: _When


@method("messages.recent", READ, RecentParams, ours=True)
def messages_recent(parts: GatewayParts, client: ConnectedClient, params: RecentParams) -> Any:
    """Answer with the newest messages in and out, in the form of the event `channel.message`, the
    newest first, as far as the gateway has them in memory.
    """
    keys = list(parts.accounts.rows) if params.accounts is None else params.accounts
    each = max(LEAST, min(params.limit, LOOKED_AT // max(1, len(keys))))
    found = [item for key in keys for item in _timed(parts.rings.last(key, each))]
    found.sort(key=lambda item: item[0], reverse=True)
    return {"messages": [msgspec.Raw(payload) for _, payload in found[: params.limit]]}


def _timed(payloads: list[bytes]) -> Iterator[tuple[int, bytes]]:
    for payload in payloads:
        try:
            yield decode_json(payload, _Payload).message.ts, payload
        except MALFORMED:
            continue  # what else has happened on the platform
