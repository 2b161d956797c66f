"""``system-presence``: who is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.gateway.methods.table import Nothing, method
from runtime.gateway.scopes import READ

if TYPE_CHECKING:
    from runtime.gateway.client import Client


@method("system-presence", READ, Nothing)
def system_presence(client: Client, params: Nothing) -> Any:
    """Answer with the rows of everybody, the gateway itself first."""
    return client.gateway.presence.rows(client.protocol)
