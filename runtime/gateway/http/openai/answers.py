"""Collects an answer of the OpenAI API from the events of a run. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.gateway.http.api_refusals import API, HttpRefusal
from runtime.gateway.http.openai.asked import ToolSelection
from runtime.gateway.journal.runs import Run
from workers.agent import Delta, ToolCall, ToolResult, TurnEvent

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallOfTool:
    """A call of one of the caller's tools; ``arguments`` are JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokens of a run; ``input`` includes those from a cache."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """The sum of input and output."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class RunReply:
    """The answer of a run. ``more`` is what of its text has not been streamed."""

    text: str
    more: str
    calls: list[CallOfTool] = field(default_factory=list)
    cut: bool = False  # at the greatest length of the model
    usage: TokenCounts = TokenCounts()


class ReplyReader:
    """Collects the answer of one run: ``read`` for each event, then ``end``.

    Calls are the caller's where it has given a tool of that name and the agent has no result.
    """

    def __init__(self, selection: ToolSelection) -> None:
        self._selection = selection
        self._calls: dict[str, CallOfTool] = {}
        self._shown = 0  # characters that were streamed
        self._known = hashlib.blake2b(digest_size=16)  # which: they are not held a second time
        self._again = self._skips = False

    def begin(self) -> None:
        """Begin the answer, anew if the agent starts again."""
        self._again = self._shown > 0 or self._skips  # then the end shows what is different
        self._calls.clear()

    @property
    def has_tools(self) -> bool:
        """Whether the caller has given tools."""
        return bool(self._selection.names)

    def skip_text(self) -> None:
        """Stream no text: the end has all of it."""
        self._again = self._skips = True

    def read(self, event: TurnEvent) -> str:
        """Read an event of the turn; return the text that it adds to the answer."""
        match event:
            case Delta():
                if not self._again:
                    self._shown += len(event.text)
                    self._known.update(_bytes(event.text))
                    return event.text
            case ToolCall() if event.name in self._selection.names:
                arguments = event.arguments
                if not isinstance(arguments, str):
                    arguments = msgspec.json.encode(arguments).decode()
                self._calls[event.id] = CallOfTool(event.id, event.name, arguments)
            case ToolResult():
                self._calls.pop(event.id, None)
        return ""

    def end(self, run: Run) -> RunReply:
        """Return the answer of a run that has ended with one.

        Raises ``HttpRefusal`` where a tool had to be called and was not.
        """
        calls = list(self._calls.values())
        _require_called(self._selection, calls)
        result = run.result
        more = run.answer
        if self._is_shown(more[: self._shown]):
            more = more[self._shown :]
        elif more:
            more = f"\n\n{more}"  # not what was streamed: it follows whole
        cut = result is not None and result.stop_reason == "length"
        return RunReply(run.answer, more, calls, cut, _counts(run))

    def _is_shown(self, text: str) -> bool:
        shown = hashlib.blake2b(_bytes(text), digest_size=16)
        return len(text) == self._shown and shown.digest() == self._known.digest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _require_called(selection: ToolSelection, calls: Iterable[CallOfTool]) -> None:
    choice, called = selection.choice, {each.name for each in calls}
    if choice == "auto" or choice in called or (choice == "required" and called):
        return
    if choice == "required":
        text = "tool_choice=required was not satisfied by the agent response"
    else:
        text = f"tool_choice required a {choice} tool call, but the agent did not produce one"
    raise HttpRefusal(502, text, API, {"x-should-retry": "false"})


def _counts(run: Run) -> TokenCounts:
    usage = {} if run.result is None else run.result.usage

    def count(name: str) -> int:
        value = usage.get(name)
        return max(0, value) if type(value) is int else 0

    cached, written = count("cacheRead"), count("cacheWrite")
    return TokenCounts(count("input") + cached + written, cached, written, count("output"))
