"""Names the agents as models of the OpenAI API, and finds the agent that a model means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.gateway.conversations.session_keys import MAIN
from runtime.gateway.http.api_refusals import HttpRefusal

MODELS = "/v1/models"
OWNER = "openclaw"  # the model that stands for an agent, whatever is behind it
DEFAULT = f"{OWNER}/default"
PREFIXES = (f"{OWNER}/", f"{OWNER}:", "agent:")
MAX_SHOWN = 128
WRONG_MODEL = "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."
NO_OWNER = (
    "Multiple agents are configured, but this operation has no explicit owner. Select an agent"
    " explicitly: model openclaw/<agentId>, or set agents.default."
)
NO_AGENT = "No agent is configured: add one with `trunkline agents add`."


@dataclass(frozen=True, slots=True)
class AgentNames:
    """The ids of the agents; ``default``: the one that answers where none is named, if any."""

    ids: Sequence[str]
    default: str | None

    @property
    def owner(self) -> str:
        """The default agent. Raises ``HttpRefusal`` if there is none."""
        if self.default is not None and self.default in self.ids:
            return self.default
        if len(self.ids) == 1:
            return self.ids[0]
        raise HttpRefusal(400, NO_OWNER if self.ids else NO_AGENT)

    def named(self, agent: str) -> str:
        """Return the id of the agent that a request names. ``main`` is the default one, as in the
        methods of the gateway. Raises ``HttpRefusal`` if there is none.
        """
        return self.owner if agent == MAIN and MAIN not in self.ids else agent


def agent_of(names: AgentNames, model: object, header: str | None) -> str:
    """Return the agent of a request: named by the header, else by the model.

    Raises ``HttpRefusal``.
    """
    named = _named(model)
    if header:
        named = header
    if named is None:
        return names.owner
    agent = names.named(named)
    if agent not in names.ids:
        raise HttpRefusal(400, unknown_agent(agent))
    return agent


def unknown_agent(id: str) -> str:
    """Return the error text for an unknown agent."""
    return f"Unknown agent '{id[:MAX_SHOWN]}'."


def model_list(names: AgentNames) -> dict[str, Any]:
    """Return the body of ``GET /v1/models``."""
    ids = [OWNER, DEFAULT, *(f"{OWNER}/{each}" for each in names.ids)]
    return {"object": "list", "data": [_row(each) for each in ids]}


def model_row(names: AgentNames, id: str) -> dict[str, Any]:
    """Return the body of ``GET /v1/models/<id>``. Raises ``HttpRefusal``."""
    if id != OWNER and not id.startswith(f"{OWNER}/"):
        raise HttpRefusal(400, "Invalid model id.")
    if id not in (OWNER, DEFAULT) and names.named(id.removeprefix(f"{OWNER}/")) not in names.ids:
        raise HttpRefusal(404, f"Model '{id[:MAX_SHOWN]}' not found.")
    return _row(id)


def _named(model: object) -> str | None:
    """Return the agent that a model names; ``None``: the default one."""
    if model is None or model in ("", OWNER, DEFAULT):
        return None
    if isinstance(model, str):
        for prefix in PREFIXES:
            if model.startswith(prefix) and len(model) > len(prefix):
                return model.removeprefix(prefix)
    raise HttpRefusal(400, WRONG_MODEL)


def _row(id: str) -> dict[str, Any]:
    return {"id": id, "object": "model", "created": 0, "owned_by": OWNER, "permission": []}
