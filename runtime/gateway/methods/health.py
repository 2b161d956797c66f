"""``health``, ``status``, ``last-heartbeat``: how the gateway and its accounts are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.gateway.access.scopes import NODE, OPERATOR, READ
from runtime.gateway.clients.method_table import Nothing, Repeat, method

if TYPE_CHECKING:
    from runtime.gateway.clients.client import Client


@method("health", None, params=None, roles=frozenset({OPERATOR, NODE}), repeat=Repeat.ALWAYS)
def health(client: Client, params: None) -> Any:
    """Answer with the snapshot of all accounts, as the event ``health`` has it."""
    return client.gateway.health.payload(client.protocol)


@method("status", READ, params=None)
def status(client: Client, params: None) -> Any:
    """Answer with the version, a line per account, and (ours) every row of the accounts and
    what the gateway itself has dropped, by reason.
    """
    gateway = client.gateway
    dropped = dict(gateway.workers.dropped) | {"slow client": gateway.server.slow}
    return gateway.health.status() | {"dropped": dropped}


@method("last-heartbeat", READ, params=Nothing)
def last_heartbeat(client: Client, params: Nothing) -> Any:
    """Answer with the last heartbeat run of an agent: there is none."""
    return None
