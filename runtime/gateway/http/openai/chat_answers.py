"""Writes completions and their chunks in the shape of the OpenAI API. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from runtime.gateway.http.api_refusals import HttpRefusal
from runtime.gateway.http.openai.answers import CallOfTool, ReplyReader, RunReply, TokenCounts
from runtime.gateway.http.openai.asked import Asked

DONE = b"data: [DONE]\n\n"
Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


def completion(head: Json, asked: Asked, reply: RunReply) -> Json:
    """Return a whole completion; ``head`` are the fields that its chunks have, too."""
    message: Json = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [_call(each) for each in reply.calls]
    made: Json = head | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_of(reply)}],
        "usage": usage_of(reply.usage),
    }
    return made | _ignored(asked)


def finish_of(reply: RunReply) -> str:
    """Return the finish reason of an answer."""
    if reply.calls:
        return "tool_calls"
    return "length" if reply.cut else "stop"


def usage_of(counts: TokenCounts) -> Json:
    """Return the token usage of a completion."""
    made: Json = {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.total,
    }
    if counts.cached:
        made["prompt_tokens_details"] = {"cached_tokens": counts.cached}
    return made


class CompletionWriter:
    """Writes one completion, whole or as events; ``created`` is in seconds of the epoch."""

    def __init__(self, id: str, created: int, asked: Asked) -> None:
        self._asked = asked
        self._head: Json = {
            "id": id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": asked.model or "openclaw",
        }
        self.reader = ReplyReader(asked.selection)

    def whole(self, reply: RunReply) -> Json:
        """Return the completion for the answer of a run."""
        return completion(self._head, self._asked, reply)

    def begin(self) -> bytes:
        """Return the first chunk."""
        choice = {"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}
        return _event(self._head | {"choices": [choice]} | _ignored(self._asked))

    def text(self, text: str) -> bytes:
        """Return the chunk for a piece of text."""
        return self._chunk({"content": text})

    def end(self, reply: RunReply) -> Iterator[bytes]:
        """Yield the last chunks of a run that has an answer."""
        if reply.more:
            yield self.text(reply.more)
        for index, each in enumerate(reply.calls):
            yield self._chunk({"tool_calls": [{"index": index, **_call(each)}]})
        yield self._chunk({}, finish_of(reply))
        if self._asked.usage:
            yield _event(self._head | {"choices": [], "usage": usage_of(reply.usage)})
        yield DONE

    def fail(self, refusal: HttpRefusal) -> Iterator[bytes]:
        """Yield the last chunks of a run without an answer."""
        yield _event(refusal.body)
        yield DONE

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(self._head | {"choices": [choice]})


def _ignored(asked: Asked) -> Json:
    return {"ignored": asked.ignored} if asked.ignored else {}


def _call(call: CallOfTool) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _event(value: Json) -> bytes:
    return b"data: " + _encode(value) + b"\n\n"
