"""Builds the events of one run, ``agent`` and ``chat``, in OpenClaw's shapes. Pure.

One counter numbers the events of both kinds, without gaps, and exactly one terminal event of each
kind ends the run: what comes after it makes no event. The first piece of text goes out at once,
what follows is joined for 150 ms; longer where the text is long, because each event carries the
whole of it. Tags and the word for silence are no part of what goes out, nor is what may still
become one. Times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from runtime.gateway.conversations.error_texts import ErrorText
from runtime.gateway.conversations.growing_text import GrowingText
from runtime.gateway.conversations.reply_tags import shown_answer, shown_so_far

JOIN_MS = 150
LONG_TEXT = 64 * 1024  # characters: from here on text is joined for longer, in proportion

Payload = dict[str, Any]


class RunEvent(msgspec.Struct, frozen=True):
    """An event for clients; ``tools_only``: only for those with the capability ``tool-events``."""

    event: Literal["agent", "chat"]
    payload: Payload
    tools_only: bool = False


class RunEvents:
    """The events of one run.

    ``partial`` is its answer so far, which others add to: ``on_growth`` is called after that.
    After a restart of the gateway, or where no client was there, ``seq`` and ``sent`` (characters)
    are how far it had come before.
    """

    def __init__(
        self,
        run: str,
        session: str,
        agent: str,
        *,
        partial: GrowingText,
        sent: int = 0,
        session_id: str | None = None,
        heartbeat: bool = False,
        seq: int = 0,
    ) -> None:
        self._who: Payload = {"runId": run, "sessionKey": session, "agentId": agent}
        self._session_id = session_id
        self._heartbeat = heartbeat
        self._partial = partial
        self._read = sent  # characters of it
        self._shown = shown_so_far(partial.text[:sent])  # what has gone out
        self._item = 1  # number of the assistant's message; another begins after a tool
        self._item_at = 0  # where it begins in what has gone out
        self._last: int | None = None  # when text has gone out last
        self._started: int | None = None
        self._tools: dict[str, tuple[str, int]] = {}  # name and begin of those that run, by id
        self.seq = seq
        self.ended = False

    def on_begin(self, now: int) -> list[RunEvent]:
        """Return the event of the run's start, once."""
        if self.ended or self._started is not None:
            return []
        self._started = now
        return [self._agent("lifecycle", {"phase": "start", "startedAt": now}, now)]

    def on_growth(self, now: int) -> list[RunEvent]:
        """Return the events to send now that text has come, possibly none yet (``next_due``)."""
        due = self.next_due()
        return self.flush(now) if due is None or due <= now else []

    def next_due(self) -> int | None:
        """Return when to call ``flush``; ``None`` if nothing waits or it may be sent at once."""
        length = self._partial.length
        if self.ended or self._last is None or self._read == length:
            return None
        return self._last + max(JOIN_MS, JOIN_MS * length // LONG_TEXT)

    def flush(self, now: int) -> list[RunEvent]:
        """Return the events for all unsent text."""
        if self.ended or self._read == self._partial.length:
            return []
        self._read = self._partial.length
        return self._show(shown_so_far(self._partial.text), now)

    def on_tool_call(self, call: str, name: str, arguments: Any, now: int) -> list[RunEvent]:
        """Return the events of a tool call, after those of the text before it."""
        if self.ended:
            return []
        events = self.flush(now)
        self._tools[call] = (name, now)
        item = _item(call, name, "start", "running") | {"startedAt": now}
        tool = {"phase": "start", "name": name, "toolCallId": call, "args": arguments}
        events.append(self._agent("item", item, now))
        events.append(self._agent("tool", tool, now, tools_only=True))
        self._item, self._item_at = self._item + 1, len(self._shown)
        return events

    def on_tool_result(
        self, call: str, output: str, now: int, *, failed: bool = False
    ) -> list[RunEvent]:
        """Return the events of a finished tool call."""
        if self.ended:
            return []
        events = self.flush(now)
        name, started = self._tools.pop(call, ("", now))
        result = {
            "phase": "result",
            "name": name,
            "toolCallId": call,
            "isError": failed,
            "result": {"content": [{"type": "text", "text": output}]},
        }
        item = _item(call, name, "end", "failed" if failed else "completed")
        times = {"startedAt": started, "endedAt": now}
        events.append(self._agent("tool", result, now, tools_only=True))
        events.append(self._agent("item", item | times, now))
        return events

    def on_notice(self, text: str, now: int) -> list[RunEvent]:
        """Return the event of a notice that is not part of the answer."""
        if self.ended:
            return []
        return [self._agent("run_status", {"phase": "notice", "message": text}, now)]

    def on_final(
        self,
        text: str | None,
        now: int,
        *,
        stop_reason: str = "stop",
        usage: Mapping[str, Any] | None = None,
    ) -> list[RunEvent]:
        """Return the events of the answer; ``None`` or the word for silence means no answer."""
        shown = None if text is None else shown_answer(text)
        events = self._rest_of(shown, now)
        reply = {"disposition": "silent"} if shown is None else _reply(shown)
        more = {"message": _message(shown, now)} if shown is not None else {}
        if usage:
            more["usage"] = dict(usage)
        data = {"aborted": False, "stopReason": stop_reason, "terminalReply": reply}
        return self._end(events, "end", data, "final", more | {"stopReason": stop_reason}, now)

    def on_abort(self, now: int, *, stop_reason: str) -> list[RunEvent]:
        """Return the events of an aborted run, with the text shown so far."""
        events = self.flush(now)
        more = {"message": _message(self._shown, now)} if self._shown else {}
        data = {"aborted": True, "stopReason": stop_reason}
        return self._end(events, "end", data, "aborted", more | {"stopReason": stop_reason}, now)

    def on_failure(self, error: ErrorText, now: int) -> list[RunEvent]:
        """Return the events of a run without an answer."""
        events = self.flush(now)
        more = {"errorMessage": error.text, "errorKind": error.kind}
        return self._end(events, "error", {"error": error.text}, "error", more, now)

    def _rest_of(self, text: str | None, now: int) -> list[RunEvent]:
        """Return the events of unsent text, unless the final answer differs from it."""
        written = shown_answer(self._partial.text)
        if self.ended or text is None or not written or not text.startswith(written):
            return []
        return self._show(text, now)

    def _show(self, text: str, now: int) -> list[RunEvent]:
        """Return the events for the part of ``text`` that was not sent yet.

        There are none where it begins otherwise: then the answer is another one in the end.
        """
        delta = text[len(self._shown) :]
        if not delta or not text.startswith(self._shown):
            return []
        self._shown, self._last = text, now
        item = {
            "text": text[self._item_at :],
            "delta": delta,
            "itemId": f"{self._who['runId']}:{self._item}",
        }
        return [
            self._agent("assistant", item, now),
            self._chat("delta", {"deltaText": delta, "message": _message(text, now)}),
        ]

    def _end(
        self,
        events: list[RunEvent],
        phase: str,
        data: Payload,
        state: str,
        more: Payload,
        now: int,
    ) -> list[RunEvent]:
        if self.ended:
            return []
        times = {"endedAt": now, "executionSettled": True}
        if self._started is not None:
            times["startedAt"] = self._started
        events.append(self._agent("lifecycle", {"phase": phase, **data, **times}, now))
        events.append(self._chat(state, more))
        self.ended = True
        return events

    def _agent(self, stream: str, data: Payload, now: int, *, tools_only: bool = False) -> RunEvent:
        self.seq += 1
        known = {} if self._session_id is None else {"sessionId": self._session_id}
        about = {"stream": stream, "data": data, "seq": self.seq, "ts": now}
        payload = self._who | known | about | {"isHeartbeat": self._heartbeat}
        return RunEvent("agent", payload, tools_only)

    def _chat(self, state: str, more: Payload) -> RunEvent:
        self.seq += 1
        return RunEvent("chat", self._who | {"seq": self.seq, "state": state} | more)


def _message(text: str, now: int) -> Payload:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": now}


def _reply(text: str) -> Payload:
    return {"disposition": "visible" if text else "empty", "text": text}


def _item(call: str, name: str, phase: str, status: str) -> Payload:
    return {
        "itemId": f"tool:{call}",
        "toolCallId": call,
        "name": name,
        "kind": "tool",
        "phase": phase,
        "title": name,
        "status": status,
    }
