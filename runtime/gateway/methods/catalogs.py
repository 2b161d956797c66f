"""Lists models, commands and tools, from which clients choose."""

from __future__ import annotations

from typing import Any, Literal

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.catalogs import command_rows, models_of
from runtime.gateway.methods.request_parts import Word
from runtime.gateway.parts import GatewayParts


class ModelsListParams(Params):
    """The params of ``models.list``: each view is the same list here."""

    view: Literal["default", "configured", "all"] = "default"
    agent_id: Word | None = None


class CommandsListParams(Params):
    """The params of ``commands.list``; the list is the same for every agent and scope."""

    agent_id: Word | None = None
    provider: Word | None = None
    scope: Literal["text", "native", "both"] | None = None
    include_args: bool = True


class ToolsCatalogParams(Params):
    """The params of ``tools.catalog``."""

    agent_id: Word | None = None
    include_plugins: bool | None = None


class ChatMetadataParams(Params):
    """The params of ``chat.metadata``; ``agent_id`` shows that agent's model alone."""

    agent_id: Word | None = None
    session_key: Word | None = None


@method("models.list", READ, ModelsListParams)
def models_list(parts: GatewayParts, client: ConnectedClient, params: ModelsListParams) -> Any:
    """Answer with the models that agents use; an agent without a named model is a model itself.
    `agents` (ours) are those that use it.
    """
    return {"models": _models(parts, params.agent_id)}


@method("commands.list", READ, CommandsListParams)
def commands_list(parts: GatewayParts, client: ConnectedClient, params: CommandsListParams) -> Any:
    """Answer with the commands that the gateway executes; others go to the agent as text."""
    return {"commands": command_rows()}


@method("tools.catalog", READ, ToolsCatalogParams)
def tools_catalog(parts: GatewayParts, client: ConnectedClient, params: ToolsCatalogParams) -> Any:
    """Answer with the tools that the gateway gives an agent: none; agents bring their own."""
    agent = parts.agents.named(params.agent_id)
    if agent not in parts.agents.listed.entries:
        raise RemoteError(INVALID_REQUEST, f'unknown agent id "{agent}"')
    return {"agentId": agent, "profiles": [], "groups": []}


@method("chat.metadata", READ, ChatMetadataParams)
def chat_metadata(parts: GatewayParts, client: ConnectedClient, params: ChatMetadataParams) -> Any:
    """Answer with models and commands, as `models.list` and `commands.list` do."""
    return {"models": _models(parts, params.agent_id), "commands": command_rows()}


def _models(parts: GatewayParts, agent: str | None) -> list[dict[str, Any]]:
    agents = parts.agents
    entries, default = agents.listed.entries, agents.default_id
    if agent is not None:
        default = parts.agents.named(agent)
        entries = {each: entry for each, entry in entries.items() if each == default}
    return models_of(entries, default, lambda each: not agents.is_gone(each), agents.needs_login)
