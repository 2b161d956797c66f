"""Returns the state of the gateway and its accounts: health, status, stability, logs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, Number, Params, TailParams
from ipc.frames.words import UNAVAILABLE
from ipc.identity.device import Identity, IdentityError
from runtime.gateway.access.scopes import NODE, OPERATOR, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Repeat, method
from runtime.gateway.parts import GatewayParts
from runtime.gateway.stability import CAPACITY


class StabilityParams(Params):
    """The params of ``diagnostics.stability``: how many events, their type, after which."""

    limit: Annotated[int, Meta(ge=1, le=CAPACITY)] = 50
    type: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    since_seq: Number = 0


@method("health", None, params=None, roles=frozenset({OPERATOR, NODE}), repeat=Repeat.ALWAYS)
def health(parts: GatewayParts, client: ConnectedClient, params: None) -> Any:
    """Answer with the state of all accounts, as the event `health` has it."""
    return parts.health.payload(client.protocol)


@method("status", READ, params=None)
def status(parts: GatewayParts, client: ConnectedClient, params: None) -> Any:
    """Answer with the version and a line per account, and (ours) with all rows and counts. Those
    are every row of the accounts, what the gateway itself has dropped, by reason, how much waits in
    the outbox, what agents do, how requests to the HTTP API, to hooks and to the canvas host have
    ended, and what was refused: HTTP requests by status, those to accounts by reason, handshakes by
    kind, requests of clients.
    """
    dropped = dict(parts.data_link.dropped) | {"slow client": parts.server.unread.slow}
    own = {"dropped": dropped, "outbox": parts.outbox.figures(), "runs": parts.runs.figures()}
    own |= {"httpApi": parts.api.figures(), "hooks": dict(parts.hooks.counts)}
    own |= {"canvas": dict(parts.canvas.counts), "httpRefused": parts.api.refusals()}
    own |= {"ingressRefused": dict(parts.http_calls.bounds.refused)}
    own |= {"handshakesRefused": {kind: n for kind, n in parts.hub.refused.items() if n}}
    own |= {"requests": {"all": parts.hub.requests, "failed": parts.hub.failures}}
    return parts.health.status() | own


@method("gateway.identity.get", READ)
async def gateway_identity_get(
    parts: GatewayParts, client: ConnectedClient, params: NoParams
) -> Any:
    """Answer with the gateway's own device identity, which is made at the first request."""
    path = Path(parts.boot.state_dir) / "identity.json"
    try:
        identity = await asyncio.to_thread(Identity.load, path)
    except IdentityError as error:
        raise RemoteError(UNAVAILABLE, str(error)) from None
    return {"deviceId": identity.id, "publicKey": identity.public_key}


@method("diagnostics.stability", READ, StabilityParams)
def diagnostics_stability(
    parts: GatewayParts, client: ConnectedClient, params: StabilityParams
) -> Any:
    """Answer with recent faults: refused clients, accounts that failed, messages not sent. What
    comes again within an hour is one event, with a new `seq`, `times`, and the time of the `first`.
    """
    return parts.stability.snapshot(params.limit, params.type, params.since_seq)


@method("logs.tail", READ, TailParams)
async def logs_tail(parts: GatewayParts, client: ConnectedClient, params: TailParams) -> Any:
    """Answer with log lines, each a JSON object as text, and the `cursor` to continue from."""
    return await parts.supervisor.ask_raw("logs.tail", msgspec.to_builtins(params))
