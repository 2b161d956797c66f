"""Define the agent kind ``client``: a program that attaches itself to the gateway answers."""

from __future__ import annotations

import msgspec

from workers.agent import AgentManifest


class ClientConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One agent whose program runs elsewhere: there is nothing to configure."""


manifest = AgentManifest("client", "Attached program", ClientConfig, agent="", attached=True)
