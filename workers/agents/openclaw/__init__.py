"""Defines the agent kind ``openclaw``: an agent of an OpenClaw gateway, or of another Trunkline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agent import AgentManifest
from workers.agents.openclaw.config import OpenClawConfig
from workers.web.addresses import host_of


class OpenClawManifest(AgentManifest):
    """The manifest of ``openclaw``, which describes an agent by its remote id and its gateway."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the agent's id and the host of its gateway, without parts that may be secret."""
        host = host_of(config.get("url"))
        return f"{config.get('agentId', 'main')} at {host}" if host else ""


manifest = OpenClawManifest(
    id="openclaw",
    label="OpenClaw gateway",
    config=OpenClawConfig,
    agent="workers.agents.openclaw.agent:OpenClawAgent",
    secrets=frozenset({"token", "password"}),
    lacks=("tools",),
    example={
        "url": "ws://127.0.0.1:18789",
        "token": {"source": "env", "id": "OPENCLAW_GATEWAY_TOKEN"},
    },
)
