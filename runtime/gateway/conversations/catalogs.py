"""Builds the lists of models and commands for clients, in OpenClaw's shapes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runtime.gateway.accounts.agent_entries import AgentEntry
from runtime.gateway.conversations.chat_commands import COMMANDS
from runtime.gateway.conversations.session_rows import OFF, PROVIDER, thinking_levels

AUTH_FAILED = "auth-failed"
_CATEGORIES = {"status": "status", "help": "status", "whoami": "status", "queue": "options"}
_DEFAULT_CATEGORY = "session"

Row = dict[str, Any]


def models_of(
    entries: Mapping[str, AgentEntry],
    default: str,
    is_there: Callable[[str], bool],
    needs_login: Callable[[str], bool] = lambda agent: False,
) -> list[Row]:
    """Return the models of all agents, each once, that of the agent ``default`` first.

    An agent that has no model by name is one itself. ``agents`` (ours) are those that ask it, and
    it is available where ``is_there`` for one of them. How it is asked is as its first agent does.
    """
    found: dict[str, Row] = {}
    for agent in sorted(entries, key=lambda each: each != default):
        entry = entries[agent]
        model = entry.label or agent
        row = found.setdefault(
            model,
            {
                "id": model,
                "name": entry.label or entry.name or agent,
                "provider": PROVIDER,
                "reasoning": False,
                "agentRuntime": {"id": entry.kind},
                "thinkingLevels": thinking_levels(entry.kind),
                "thinkingDefault": OFF,
                "available": False,
                "agents": [],
            },
        )
        row["agents"].append(agent)
        row["available"] = row["available"] or is_there(agent)
        if agent == default:
            row["tags"] = ["default"]
    for row in found.values():
        if not row["available"] and any(map(needs_login, row["agents"])):
            row["unavailableReason"] = AUTH_FAILED
    return list(found.values())


def model_in(given: str) -> str:
    """Return a model's name without the provider prefix that clients put before it."""
    return given.removeprefix(f"{PROVIDER}/")


def command_rows() -> list[Row]:
    """Return the rows of the chat commands that the gateway carries out."""
    return [
        {
            "name": name,
            "nativeName": name,
            "textAliases": [f"/{name}"],
            "description": f"{what[0].upper()}{what[1:]}.",
            "category": _CATEGORIES.get(name, _DEFAULT_CATEGORY),
            "source": "native",
            "scope": "both",
            "acceptsArgs": " " in usage,
        }
        for name, (_, usage, what) in COMMANDS.items()
    ]
