"""Writes responses and the events of streamed ones in the shape of the OpenAI API. Pure."""

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


def response_usage(counts: TokenCounts) -> Json:
    """Return the token usage of a response."""
    return {
        "input_tokens": counts.input,
        "input_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_write_tokens": counts.written,
        },
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counts.total,
    }


class ResponseWriter:
    """Writes one response, whole or as events; ``created`` is in seconds of the epoch."""

    def __init__(self, id: str, created: int, asked: Asked) -> None:
        self._id = id
        self._created = created
        self._asked = asked
        self._message_id = f"msg_{id.partition('_')[2]}"
        self._text = ""
        self._number = 0
        self.reader = ReplyReader(asked.selection)

    def whole(self, reply: RunReply) -> Json:
        """Return the response for the answer of a run."""
        output = [] if reply.calls and not reply.text else [self._message(reply)]
        return self._response(_status(reply), [*output, *map(_item, reply.calls)], reply)

    def failure(self, refusal: HttpRefusal) -> Json:
        """Return the response for a run without an answer."""
        error = {"code": refusal.type, "message": refusal.message}
        return self._response("failed", []) | {"error": error}

    def begin(self) -> bytes:
        """Return the first events of a stream."""
        begun = {"response": self._response("in_progress", [])}
        item = {"type": "message", "id": self._message_id, "role": "assistant", "content": []}
        part = {"type": "output_text", "text": ""}
        return b"".join(
            [
                self._event("response.created", begun),
                self._event("response.in_progress", begun),
                self._event(
                    "response.output_item.added",
                    {"output_index": 0, "item": item | {"status": "in_progress"}},
                ),
                self._event("response.content_part.added", self._place() | {"part": part}),
            ]
        )

    def text(self, text: str) -> bytes:
        """Return the event for a piece of text."""
        self._text += text
        return self._event("response.output_text.delta", self._place() | {"delta": text})

    def end(self, reply: RunReply) -> Iterator[bytes]:
        """Yield the last events of a run that has an answer."""
        if reply.more:
            yield self.text(reply.more)
        part = {"type": "output_text", "text": self._text}
        yield self._event("response.output_text.done", self._place() | {"text": self._text})
        yield self._event("response.content_part.done", self._place() | {"part": part})
        message = self._message(reply, self._text)
        yield self._event("response.output_item.done", {"output_index": 0, "item": message})
        items = [_item(each) for each in reply.calls]
        for index, item in enumerate(items, 1):
            yield from self._called(index, item)
        status = _status(reply)
        whole = self._response(status, [message, *items], reply)
        yield self._event(f"response.{status}", {"response": whole})
        yield DONE

    def fail(self, refusal: HttpRefusal) -> Iterator[bytes]:
        """Yield the last events of a run without an answer."""
        yield self._event("response.failed", {"response": self.failure(refusal)})
        yield DONE

    def _called(self, index: int, item: Json) -> Iterator[bytes]:
        begun = item | {"arguments": "", "status": "in_progress"}
        place = {"item_id": item["id"], "output_index": index}
        arguments = item["arguments"]
        yield self._event("response.output_item.added", {"output_index": index, "item": begun})
        name = "response.function_call_arguments"
        yield self._event(f"{name}.delta", place | {"delta": arguments})
        yield self._event(f"{name}.done", place | {"name": item["name"], "arguments": arguments})
        yield self._event("response.output_item.done", {"output_index": index, "item": item})

    def _response(self, status: str, output: list[Json], reply: RunReply | None = None) -> Json:
        made: Json = {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._asked.model,
            "output": output,
            "usage": response_usage(TokenCounts() if reply is None else reply.usage),
        }
        if status == "incomplete":
            made["incomplete_details"] = {"reason": "max_output_tokens"}
        return made | ({"ignored": self._asked.ignored} if self._asked.ignored else {})

    def _message(self, reply: RunReply, text: str | None = None) -> Json:
        part = {"type": "output_text", "text": reply.text if text is None else text}
        return {
            "type": "message",
            "id": self._message_id,
            "role": "assistant",
            "content": [part | {"annotations": []}],
            "phase": "final_answer",
            "status": _status(reply),
        }

    def _place(self) -> Json:
        return {"item_id": self._message_id, "output_index": 0, "content_index": 0}

    def _event(self, type: str, fields: Json) -> bytes:
        value = {"type": type, "sequence_number": self._number, **fields}
        self._number += 1
        return b"event: " + type.encode() + b"\ndata: " + _encode(value) + b"\n\n"


def _status(reply: RunReply) -> str:
    return "incomplete" if reply.cut else "completed"


def _item(call: CallOfTool) -> Json:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }
