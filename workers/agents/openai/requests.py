"""Writes a turn as a request of the chat completions API. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.agent import Turn
from workers.agents.openai.config import OpenAIConfig
from workers.agents.openai.history import is_answered, messages_of
from workers.agents.prompts import instructions_of, turn_text, window
from workers.messages import Attachment

Json = dict[str, Any]


def request_of(
    config: OpenAIConfig, turn: Turn, images: Sequence[Json], files: Sequence[Attachment]
) -> Json:
    """Return the body of the request.

    ``images`` are parts of the message, ``files`` are only named in it. Tools are passed on
    unchanged. Results of their calls stand in place of a message, unless the window has
    no room for the calls.
    """
    body: Json = {"model": turn.model or config.model, "messages": []}
    messages = body["messages"]
    if instructions := instructions_of(config.instructions, turn):
        messages.append({"role": "system", "content": instructions})
    entries, tokens = config.history_messages, config.history_tokens
    history = window(turn.history, entries, tokens, calls=True)
    if is_answered(history, turn.results):
        messages += messages_of([*history, *turn.results])
    else:
        messages += messages_of(history)
        messages.append({"role": "user", "content": _content(turn_text(turn, files), images)})
    if config.stream:
        body["stream"] = True
        if config.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if config.temperature is not None:
        body["temperature"] = config.temperature
    if config.max_tokens is not None:
        body[config.limit_field] = config.max_tokens
    if turn.thinking is not None and turn.thinking != "off":
        body["reasoning_effort"] = turn.thinking
    if turn.tools:
        body["tools"] = turn.tools
        if turn.tool_choice is not None:
            body["tool_choice"] = turn.tool_choice
    return body


def _content(text: str, images: Sequence[Json]) -> Any:
    if not images:
        return text
    return [*([{"type": "text", "text": text}] if text else []), *images]
