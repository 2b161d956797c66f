"""Lists the agents, and who they are."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from ipc.frames.requests import NoParams, Params
from ipc.frames.words import AGENT, agent_key
from runtime.gateway.access.scopes import READ
from runtime.gateway.accounts.health import AGENT as MAIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts

NAME, AVATAR = "Assistant", "A"  # OpenClaw's, of an agent without a name
Word = Annotated[str, Meta(min_length=1, max_length=512)] | UnsetType


class AgentIdentityParams(Params):
    """The params of ``agent.identity.get``; without any the default agent is meant."""

    agent_id: Word = UNSET
    session_key: Word = UNSET


@method("agents.list", READ)
def agents_list(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the agents. `kind`, `phase`, `cause`, `incarnation` and `health` are ours; an
    agent without a phase has no process.
    """
    listed = parts.agents.listed
    return {
        "defaultId": parts.agents.default_id,
        "selectionRequired": False,
        "mainKey": MAIN,
        "scope": "per-sender",
        "agents": [_shown(parts, agent) for agent in listed.entries],
    }


@method("agent.identity.get", READ, AgentIdentityParams)
def agent_identity_get(
    parts: GatewayParts, client: ConnectedClient, params: AgentIdentityParams
) -> Any:
    """Answer with the name and the avatar of an agent. The agent is named by its id or the key of
    one of its sessions. An unknown one has OpenClaw's default names.
    """
    listed = parts.agents.listed
    named = params.agent_id if params.agent_id is not UNSET else None
    if named is None and params.session_key is not UNSET:
        named = _agent_in(params.session_key)
    agent = parts.agents.named(named)
    entry = listed.entries.get(agent)
    name = entry.name if entry is not None else None
    return {
        "agentId": agent,
        "name": name or NAME,
        "nameSource": "agent" if name else "default",
        "avatar": name[0].upper() if name else AVATAR,
    }


def _shown(parts: GatewayParts, agent: str) -> dict[str, Any]:
    entry = parts.agents.listed.entries[agent]
    shown: dict[str, Any] = {
        "id": agent,
        "name": entry.name or agent,
        "agentRuntime": {
            "id": entry.kind,
            "cloudPlacementSupported": False,
            "devicePlacementSupported": False,
            "source": "implicit",
        },
        "kind": entry.kind,
    }
    row = parts.accounts.row(agent_key(agent))
    if row is not None:
        shown |= {"phase": row.phase, "cause": row.cause, "incarnation": row.incarnation}
        shown |= {"health": row.health, "enabled": row.enabled, "configured": row.configured}
    return shown


def _agent_in(session: str) -> str | None:
    """Return the id in the key of a session, ``agent:<id>:…``."""
    first, _, rest = session.partition(":")
    return rest.partition(":")[0] if first == AGENT else None
