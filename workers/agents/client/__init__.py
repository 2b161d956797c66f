"""Defines the agent kind ``client``: a program that connects to the gateway answers."""

from __future__ import annotations

import msgspec

from workers.agent import AgentManifest


class ClientConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The configuration of a ``client`` agent, which has no fields of its own."""


manifest = AgentManifest("client", "Attached program", ClientConfig, agent="", attached=True)
