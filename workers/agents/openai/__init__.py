"""Defines the agent kind ``openai``: any endpoint with the chat completions API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agent import AgentManifest
from workers.agents.openai.config import DEFAULT_BASE, OpenAIConfig
from workers.web.addresses import with_root


class OpenAIManifest(AgentManifest):
    """The manifest of ``openai``, which describes an agent by its model."""

    __slots__ = ()

    def describe(self, config: Mapping[str, Any]) -> str:
        """Return the model, with its endpoint unless that is OpenAI's own."""
        return with_root(str(config.get("model", "")), config.get("baseUrl"), DEFAULT_BASE)


manifest = OpenAIManifest(
    id="openai",
    label="OpenAI-compatible endpoint",
    config=OpenAIConfig,
    agent="workers.agents.openai.agent:OpenAIAgent",
    secrets=frozenset({"apiKey"}),
    extra=("openai",),
    late=("workers.agents.openai.endpoint",),
    example={
        "baseUrl": "http://127.0.0.1:11434/v1",
        "model": "llama3.2",
        "instructions": "Answer in one paragraph.",
    },
)
