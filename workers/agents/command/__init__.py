"""Defines the agent kind ``command``: a local program answers, one process for each turn."""

from __future__ import annotations

import os.path
from collections.abc import Collection, Mapping
from typing import Any

from workers.agent import AgentManifest
from workers.agents.command.config import CommandConfig, words_of


class CommandManifest(AgentManifest):
    """The manifest of ``command``, which describes an agent by its program."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the name of the program, without its arguments, which may hold a secret."""
        try:
            words = words_of(config.get("command", ""))
        except ValueError:
            return ""
        return os.path.basename(words[0]) if words else ""

    def lacking(self, config: Mapping[str, Any]) -> Collection[str]:
        """Return what a prompt cannot ask for: as JSON the program gets the whole turn."""
        return () if config.get("input") == "json" else ("model", "thinking", "tools")


manifest = CommandManifest(
    id="command",
    label="Program",
    config=CommandConfig,
    agent="workers.agents.command.agent:CommandAgent",
    programs=True,
    example={"command": ["claude", "-p"], "instructions": "Answer in one paragraph."},
)
