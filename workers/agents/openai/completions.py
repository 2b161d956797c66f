"""Reads completions, whole or in chunks, into the events of a turn. Pure.

Endpoints differ: text may come in parts, calls without an index, usage in a chunk of its own or
not at all. Anything that cannot be a completion raises ``BrokenAnswer``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.nesting import MALFORMED, decode_json
from workers.agent import Delta, Final, ToolCall, Usage
from workers.agents.answers import AnswerBound, BrokenAnswer, without_nul
from workers.errors import Transient, TurnRefused

MAX_CALLS = 128  # of tools, in one answer


class CalledFunction(msgspec.Struct, frozen=True):
    """The function of a tool call with its arguments, or a fragment of them."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CompletionCall(msgspec.Struct, frozen=True):
    """A tool call, or a fragment of one; the fragments of a call share an ``index``."""

    index: int | None = None
    id: str | None = None
    function: CalledFunction | None = None


class TextPart(msgspec.Struct, frozen=True):
    """One part of a message content that is a list; only text is used."""

    text: str | None = None


class CompletionText(msgspec.Struct, frozen=True):
    """A message of the model, or the part of it that a chunk adds."""

    content: str | list[TextPart] | None = None
    refusal: str | None = None
    tool_calls: list[CompletionCall] | None = None


class CompletionChoice(msgspec.Struct, frozen=True):
    """One of the alternative answers; only one is requested."""

    index: int | None = None
    delta: CompletionText | None = None
    message: CompletionText | None = None
    finish_reason: str | None = None


class CachedTokens(msgspec.Struct, frozen=True):
    """How many tokens of the prompt were read from a cache."""

    cached_tokens: int | None = None


class CompletionUsage(msgspec.Struct, frozen=True):
    """The tokens that a completion used."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: CachedTokens | None = None

    def usage(self) -> Usage:
        """Return it in the form of a turn's final event."""
        details = self.prompt_tokens_details
        cached = max(0, (details.cached_tokens if details else None) or 0)
        return Usage(
            input=max(0, (self.prompt_tokens or 0) - cached),
            output=max(0, self.completion_tokens or 0),
            cache_read=cached,
        )


class Completion(msgspec.Struct, frozen=True):
    """A completion, or a chunk of one."""

    choices: list[CompletionChoice] | None = None
    usage: CompletionUsage | None = None
    model: str | None = None


class _Call(msgspec.Struct):
    id: str
    name: str
    arguments: str


class CompletionReader:
    """Assembles one completion: call ``read`` with each chunk, then ``end``."""

    def __init__(self, bound: AnswerBound) -> None:
        self._bound = bound
        self._calls: list[_Call] = []
        self._places: dict[int, _Call] = {}  # by the index that the chunks name
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._model: str | None = None

    def read(self, value: object) -> list[Delta]:
        """Return the text that a chunk, or a whole completion, adds."""
        try:
            chunk = msgspec.convert(value, Completion)
        except msgspec.ValidationError as error:
            raise BrokenAnswer(f"not a completion: {error}") from None
        if chunk.usage is not None:
            self._usage = chunk.usage.usage()
        self._model = chunk.model or self._model
        found: list[Delta] = []
        for choice in chunk.choices or ():
            if choice.index:
                continue
            self._reason = choice.finish_reason or self._reason
            said = choice.delta or choice.message
            if said is not None:
                found += self._deltas_of(said)
        return found

    def end(self) -> list[ToolCall | Final]:
        """Return the tool calls and the final event. Raises if the answer was cut or filtered."""
        if self._reason is None:
            raise Transient("the endpoint ended its answer before its end")
        if self._reason == "content_filter":
            raise TurnRefused("the endpoint's content filter ended the answer")
        calls = [ToolCall(call.id, call.name, _arguments(call.arguments)) for call in self._calls]
        if any(not call.name for call in calls):
            raise BrokenAnswer("a tool call has no name")
        return [*calls, Final(usage=self._usage, stop_reason=self._reason, model=self._model)]

    def _deltas_of(self, said: CompletionText) -> list[Delta]:
        content = said.content
        if isinstance(content, list):
            content = "".join(part.text or "" for part in content)
        text = without_nul((content or "") + (said.refusal or ""))
        for call in said.tool_calls or ():
            self._add(call)
        if not text:
            return []
        self._bound.count(len(text.encode(errors="replace")))
        return [Delta(text)]

    def _add(self, piece: CompletionCall) -> None:
        function = piece.function or CalledFunction()
        given = function.arguments or ""
        if isinstance(given, dict):
            given = msgspec.json.encode(given).decode()
        self._bound.count(len(given.encode(errors="replace")))
        call = self._call(piece)
        call.name += function.name or ""
        call.arguments += given

    def _call(self, piece: CompletionCall) -> _Call:
        """Return the call that a fragment belongs to: by its index, else the latest one."""
        if piece.index is not None and piece.index in self._places:
            return self._places[piece.index]
        if piece.index is None and self._calls and piece.id in (None, "", self._calls[-1].id):
            return self._calls[-1]
        if len(self._calls) == MAX_CALLS:
            raise BrokenAnswer(f"more than {MAX_CALLS} tool calls")
        call = _Call(piece.id or f"call_{len(self._calls) + 1}", "", "")
        self._calls.append(call)
        if piece.index is not None:
            self._places[piece.index] = call
        return call


def _arguments(text: str) -> dict[str, Any] | str:
    """Return the arguments as an object if they are one; otherwise as the model wrote them."""
    if not text.strip():
        return {}
    try:
        value = decode_json(text, object)
    except MALFORMED:
        return text
    return value if isinstance(value, dict) else text
