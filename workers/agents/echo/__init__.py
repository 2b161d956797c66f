"""Defines the agent kind ``echo``, which answers each message with its own text."""

from __future__ import annotations

import msgspec

from workers.agent import AgentManifest


class EchoConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The configuration of an ``echo`` agent, which has no fields of its own."""


manifest = AgentManifest(
    "echo",
    "Echo",
    EchoConfig,
    agent="workers.agents.echo.agent:Echo",
    lacks=("instructions", "model", "thinking", "tools"),
)
