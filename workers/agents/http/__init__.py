"""Defines the agent kind ``http``: each turn is posted, signed, to a server that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agent import AgentManifest
from workers.agents.http.config import HttpAgentConfig
from workers.web.addresses import host_of


class HttpAgentManifest(AgentManifest):
    """The manifest of ``http``, which describes an agent by the host of its server."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the host of ``url``, without path and query, which may hold a secret."""
        host = host_of(config.get("url"))
        return f"at {host}" if host else ""


manifest = HttpAgentManifest(
    id="http",
    label="HTTP",
    config=HttpAgentConfig,
    agent="workers.agents.http.agent:HttpAgent",
    secrets=frozenset({"secret", "previousSecret"}),
    example={
        "url": "https://example.com/turn",
        "secret": {"source": "env", "id": "TRUNKLINE_AGENT_SECRET"},
    },
)
