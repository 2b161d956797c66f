"""``agents.list``: who answers messages here."""

from __future__ import annotations

from typing import Any

from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.agents import AGENTS
from runtime.gateway.accounts.health import AGENT
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import Nothing, method


@method("agents.list", READ, Nothing)
def agents_list(client: ConnectedClient, params: Nothing) -> Any:
    """Answer with the agents: the echo agent is the embedded default."""
    names = ", ".join(AGENTS)
    return {
        "defaultId": AGENT,
        "mainKey": AGENT,
        "scope": "per-sender",
        "agents": [{"id": AGENT, "name": names}],
    }
