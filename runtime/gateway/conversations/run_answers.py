"""Builds the answers of ``agent`` and ``agent.wait`` for a run, in OpenClaw's shapes. Pure.

The same run makes the same answer: whoever asks again under its key gets what the first one got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.gateway.conversations.error_texts import ErrorText, end_text, error_text
from runtime.gateway.conversations.history_views import usage_of
from runtime.gateway.conversations.reply_tags import shown_answer
from runtime.gateway.journal.runs import Run
from workers.messages import Attachment

TRUNCATED = "⚠️ Reply truncated at the model's output token limit."
PROVIDER = "trunkline"
COLLECTED = "collected"  # why a run has no answer whose words are in the turn of another one
STOP_REASON = "rpc"  # of a run that a client has ended

Payload = dict[str, Any]


def digest_of(session: str, text: str, attachments: Sequence[Attachment]) -> str:
    """Return the digest that detects other content under the same idempotency key."""
    whole = msgspec.json.encode((session, text, attachments))
    return hashlib.sha256(whole).hexdigest()[:32]


def accepted_answer(run: Run, *, named: bool, ignored: Sequence[str] = ()) -> Payload:
    """Return the first answer of ``agent``.

    ``named``: the client has named an agent or a session. ``ignored`` are params without effect.
    """
    answer: Payload = {"runId": run.id}
    if named:
        answer["sessionKey"] = run.session
    answer |= {"agentId": run.agent, "status": "accepted", "acceptedAt": run.at}
    return answer | ({"ignored": list(ignored)} if ignored else {})


def in_flight_answer(run: Run) -> Payload:
    """Return the answer of ``agent`` for a run that is already in progress."""
    return {
        "runId": run.id,
        "status": "in_flight",
        "sessionKey": run.session,
        "agentId": run.agent,
    }


def failure_of(run: Run) -> ErrorText | None:
    """Return the error that every API reports for a failed run; ``None`` if it has not failed."""
    if run.state in ("final", "aborted", "merged") or run.is_open:
        return None
    return end_text(run.state, run.error) or error_text(run.error)


def final_answer(run: Run) -> Payload:
    """Return the payload of the final answer of ``agent``; its error is that of ``failure_of``."""
    failure = failure_of(run)
    if run.state in ("timeout", "expired"):
        assert failure is not None
        answer = {"runId": run.id, "status": "timeout", "summary": "aborted"}
        phase = {"timeoutPhase": "provider" if run.started else "queue"}
        parts = [{"text": failure.text, "mediaUrl": None, "isError": True}]
        return (
            answer | phase | {"providerStarted": bool(run.started), "result": _result(run, parts)}
        )
    if failure is not None:
        return {"runId": run.id, "status": "error", "summary": failure.text}
    if run.state == "aborted":
        stop = {"stopReason": run.detail or STOP_REASON}
        return {"runId": run.id, "status": "timeout", "summary": "aborted", **stop}
    answer = {"runId": run.id, "status": "ok", "summary": "completed"}
    return answer | {"result": _result(run, _texts(run))} | _merged(run)


def wait_answer(id: str, run: Run | None) -> Payload:
    """Return the answer of ``agent.wait``; ``known`` and ``mergedInto`` are ours."""
    if run is None:
        return {"runId": id, "status": "timeout", "known": False}
    known: Payload = {"runId": id, "known": True}
    if run.is_open:
        if not run.started:
            wait = {"timeoutPhase": "queue", "providerStarted": False}
            return known | {"status": "pending"} | wait
        return known | {"status": "timeout", "startedAt": run.started}
    times = {"startedAt": run.started} if run.started else {}
    times |= {"endedAt": run.ended}
    failure = failure_of(run)
    if failure is not None:
        status = "timeout" if run.state in ("timeout", "expired") else "error"
        return known | {"status": status} | times | {"error": failure.text}
    if run.state == "aborted":
        return known | {"status": "error"} | times | {"stopReason": run.detail or STOP_REASON}
    if run.state == "merged":
        return known | {"status": "ok"} | times | {"stopReason": COLLECTED} | _merged(run)
    stop = (run.result and run.result.stop_reason) or "stop"
    text = shown_answer(run.answer)
    disposition = "silent" if text is None else "visible" if text else "empty"
    reply = {"disposition": disposition, "text": text or ""}
    return known | {"status": "ok"} | times | {"stopReason": stop, "terminalReply": reply}


def _merged(run: Run) -> Payload:
    """Return which run has the answer of one that was asked together with it."""
    return {"mergedInto": run.merged} if run.state == "merged" else {}


def command_answer(run: str, text: str) -> Payload:
    """Return the only answer of ``agent`` to a command that the gateway carried out itself."""
    part = {"text": text, "mediaUrl": None, "isStatusNotice": True}
    return {
        "runId": run,
        "status": "ok",
        "summary": "completed",
        "result": {"payloads": [part], "meta": {"durationMs": 0}},
    }


def _texts(run: Run) -> list[Payload]:
    text = shown_answer(run.answer)
    parts: list[Payload] = [{"text": text, "mediaUrl": None}] if text else []
    result = run.result
    if result is not None:
        parts += [{"text": "", "mediaUrl": each.url} for each in result.attachments]
        if result.stop_reason == "length":
            parts.append({"text": TRUNCATED, "mediaUrl": None})
    return parts


def _result(run: Run, parts: list[Payload]) -> Payload:
    result = run.result
    usage = usage_of({} if result is None else result.usage)
    usage["total"] = usage.pop("totalTokens")
    agent = {"provider": PROVIDER, "model": "" if result is None else result.model, "usage": usage}
    meta = {"durationMs": max(0, run.ended - run.at), "agentMeta": agent}
    return {"payloads": parts, "meta": meta}
