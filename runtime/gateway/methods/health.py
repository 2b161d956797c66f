"""``health``, ``status``, ``last-heartbeat``: how the gateway and its accounts are."""

from __future__ import annotations

from typing import Any

from runtime.gateway.access.scopes import NODE, OPERATOR, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, Repeat, method


@method("health", None, params=None, roles=frozenset({OPERATOR, NODE}), repeat=Repeat.ALWAYS)
def health(client: ConnectedClient, params: None) -> Any:
    """Answer with the snapshot of all accounts, as the event ``health`` has it."""
    return client.hub.health.payload(client.protocol)


@method("status", READ, params=None)
def status(client: ConnectedClient, params: None) -> Any:
    """Answer with the version, a line per account, and (ours) every row of the accounts and
    what the gateway itself has dropped, by reason.
    """
    hub = client.hub
    dropped = dict(hub.data_link.dropped) | {"slow client": hub.server.slow}
    return hub.health.status() | {"dropped": dropped}


@method("last-heartbeat", READ, params=Nothing)
def last_heartbeat(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the last heartbeat run of an agent: there is none."""
    return None
