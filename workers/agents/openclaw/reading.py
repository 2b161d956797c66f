"""Reads the events of a run and the answers of ``agent`` from the other gateway. Pure.

Text is taken from the event ``chat`` only, which always has the whole text: what was missed
without a session is in the next one. The result of the run is in the last answer of ``agent``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.agent import Delta, Final, Notice, ToolCall, ToolResult, TurnEvent, Usage
from workers.agents.answers import AnswerBound, BrokenAnswer, shown, without_nul
from workers.agents.openclaw.failures import failure_of_run
from workers.errors import Transient
from workers.messages import Attachment

LINKS = ("https://", "http://", "data:")
MAX_OUTPUT = 64 * 1024  # characters of what a tool has put out
Json = Mapping[str, Any]


class RunReader:
    """The state of one run, from its events. ``error`` is the first one reported, with its kind."""

    def __init__(self, bound: AnswerBound) -> None:
        self.text = ""  # as the gateway shows it now
        self.seen = False  # a piece of it, or the call of a tool, was handed on
        self.ended = False
        self.error: tuple[str, str] | None = None
        self.model: str | None = None
        self.stop_reason: str | None = None
        self._bound = bound
        self._open: set[str] = set()  # calls of tools that have no result

    def read(self, event: str, payload: Json) -> list[TurnEvent]:
        """Read an event of the run; return the events that the turn yields for it."""
        found = self._read_chat(payload) if event == "chat" else self._read_agent(payload)
        self.seen |= any(isinstance(each, Delta | ToolCall) for each in found)
        return found

    def _read_chat(self, payload: Json) -> list[TurnEvent]:
        match payload.get("state"):
            case "delta":
                return self._delta(payload)
            case "final":
                self.ended, self.stop_reason = True, _word(payload.get("stopReason"))
                return self._delta(payload)
            case "aborted":
                self.ended, self.stop_reason = True, _word(payload.get("stopReason"))
            case "error":
                self.ended = True
                if self.error is None:
                    kind = _word(payload.get("errorKind")) or "unknown"
                    self.error = kind, str(payload.get("errorMessage") or "")
        return []

    def _delta(self, payload: Json) -> list[TurnEvent]:
        whole = without_nul(text_of(payload.get("message")))
        before, self.text = self.text, whole or self.text
        if not whole or whole == before:
            return []
        if whole.startswith(before):
            more = whole[len(before) :]
        elif payload.get("replace"):
            return []  # what was shown is taken back; the last answer has it all
        else:
            more = f"\n\n{whole}"  # another message of the same run, after a tool say
        self._bound.count(len(more.encode(errors="replace")))
        return [Delta(more)]

    def _read_agent(self, payload: Json) -> list[TurnEvent]:
        data = payload.get("data")
        if not isinstance(data, Mapping):
            return []
        match payload.get("stream"):
            case "tool":
                return self._read_tool(data)
            case "run_status" if data.get("phase") in ("retrying", "notice"):
                return [Notice(shown(data.get("message") or data["phase"]))]
            case "lifecycle" if data.get("phase") == "model" and isinstance(data.get("model"), str):
                self.model = data["model"]
        return []

    def _read_tool(self, data: Json) -> list[TurnEvent]:
        call, name = data.get("toolCallId"), data.get("name")
        if not isinstance(call, str) or not isinstance(name, str):
            return []
        if data.get("phase") == "start" and call not in self._open:
            self._open.add(call)
            arguments = data.get("args")
            return [ToolCall(call, name, arguments if isinstance(arguments, dict) else {})]
        if data.get("phase") == "result" and call in self._open:
            self._open.discard(call)
            result = data.get("result")
            output = text_of(result)[:MAX_OUTPUT] if isinstance(result, Mapping) else ""
            return [ToolResult(call, without_nul(output), bool(data.get("isError")))]
        return []


def text_of(message: object) -> str:
    """Return the text of a message or of a tool's output."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [each.get("text") for each in content if isinstance(each, Mapping)]
    return "\n".join(each for each in parts if isinstance(each, str))


def final_of(answer: object, reader: RunReader) -> Final:
    """Return the final event by the last answer of ``agent``; raises if the run failed."""
    if not isinstance(answer, Mapping):
        raise BrokenAnswer("the gateway's answer is not a JSON object")
    result = answer.get("result")
    status, result = answer.get("status"), result if isinstance(result, Mapping) else {}
    if status == "timeout":
        if reader.stop_reason or answer.get("stopReason"):
            raise Transient("the run was stopped at the other gateway")
        raise Transient("the run took too long at the other gateway")
    if status != "ok":
        raise failure_of_run(*(reader.error or ("unknown", str(answer.get("summary") or status))))
    texts: list[str] = []
    files: dict[str, Attachment] = {}
    for part in _list(result.get("payloads")):
        if text := str(part.get("text") or ""):
            texts.append(without_nul(text))
        urls = part.get("mediaUrls")
        for url in [part.get("mediaUrl"), *(urls if isinstance(urls, list) else [])]:
            if isinstance(url, str) and url.startswith(LINKS):
                files[url] = Attachment(url=url)
    return _final("\n\n".join(texts), list(files.values()), result.get("meta"), reader)


def final_of_text(text: str, reader: RunReader) -> Final:
    """Return the final event of a turn whose answer was found in the conversation."""
    return Final(without_nul(text), None, reader.stop_reason, reader.model)


def _final(text: str, files: list[Attachment], meta: object, reader: RunReader) -> Final:
    agent = meta.get("agentMeta") if isinstance(meta, Mapping) else None
    about = agent if isinstance(agent, Mapping) else {}
    model = about.get("model") or reader.model
    usage = about.get("usage")
    return Final(
        text,
        usage_of(usage) if isinstance(usage, Mapping) else None,
        reader.stop_reason,
        model if isinstance(model, str) else None,
        files,
    )


def usage_of(usage: Json) -> Usage:
    """Return the token counts of a run as ``Usage``."""
    names = ("input", "output", "cacheRead", "cacheWrite")
    counts = [usage.get(name) for name in names]
    return Usage(*(each if isinstance(each, int) and each > 0 else 0 for each in counts))


def _list(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
