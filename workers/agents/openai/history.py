"""Writes the history of a conversation as messages of a request, with tool calls. Pure.

Endpoints refuse a call without its result, and a result without its call: if one of them is not
in the window, both are written as plain text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from workers.agent import HistoryItem, ToolCall
from workers.agents.prompts import entry_text

Json = dict[str, Any]


def messages_of(history: Sequence[HistoryItem]) -> list[Json]:
    """Return the messages for a history, in order."""
    answered = _answered_calls(history)
    return [each for at, item in enumerate(history) for each in _messages(item, at in answered)]


def is_answered(history: Sequence[HistoryItem], results: Sequence[HistoryItem]) -> bool:
    """Return whether ``results`` answer exactly the tool calls at the end of a history."""
    answered = _answered_calls([*history, *results])
    return bool(results) and answered.issuperset(range(len(history), len(history) + len(results)))


def _messages(item: HistoryItem, answered: bool) -> Iterator[Json]:
    if item.role == "tool" and answered:
        yield {"role": "tool", "tool_call_id": item.call, "content": item.text}
    elif item.role != "assistant":
        yield {"role": "user", "content": entry_text(item)}
    elif item.calls and answered:
        calls = [_call(each) for each in item.calls]
        yield {"role": "assistant", "content": item.text or None, "tool_calls": calls}
    elif item.text:
        yield {"role": "assistant", "content": item.text}


def _answered_calls(history: Sequence[HistoryItem]) -> set[int]:
    """Return the indexes of calls whose results all directly follow them, and of those results.

    Endpoints require this order, and that each id occurs once.
    """
    found: set[int] = set()
    ids: set[str] = set()
    for at, item in enumerate(history):
        wanted = [each.id for each in item.calls]
        if item.role != "assistant" or not wanted or ids & set(wanted):
            continue
        results = [each.call for each in history[at + 1 : at + 1 + len(wanted)]]
        roles = {each.role for each in history[at + 1 : at + 1 + len(wanted)]}
        if roles == {"tool"} and sorted(map(str, results)) == sorted(wanted):
            ids.update(wanted)
            found.update(range(at, at + 1 + len(wanted)))
    return found


def _call(call: ToolCall) -> Json:
    given = call.arguments
    text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": text}}
