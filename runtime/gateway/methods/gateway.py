"""``gateway.identity.get`` and ``diagnostics.stability``: the gateway about itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE
from ipc.identity.device import Identity, IdentityError
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, Strict, method
from runtime.gateway.stability import CAPACITY


class Query(Strict):
    """The newest ``limit`` events of a ``type``, after the number ``since_seq``."""

    limit: Annotated[int, Meta(ge=1, le=CAPACITY)] = 50
    type: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    since_seq: Annotated[int, Meta(ge=0)] = 0


@method("gateway.identity.get", READ, Nothing)
async def gateway_identity_get(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the gateway's own device identity, which is made at the first question."""
    path = Path(client.hub.boot.state_dir) / "identity.json"
    try:
        identity = await asyncio.to_thread(Identity.load, path)
    except IdentityError as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    return {"deviceId": identity.id, "publicKey": identity.public_key}


@method("diagnostics.stability", READ, Query)
def diagnostics_stability(client: ConnectedClient, params: Query) -> Any:
    """Answer with what went wrong lately: refused clients, accounts that failed."""
    return client.hub.stability.snapshot(params.limit, params.type, params.since_seq)
