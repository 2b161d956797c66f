"""Shortens the history that an agent is given of a session: ``sessions.compact``.

The transcript stays as it is, for people to read and to search: only what goes along with the next
turns is less.
"""

from __future__ import annotations

import uuid
from typing import Any

from msgspec import to_builtins

from ipc.errors import RemoteError
from ipc.frames.requests import FirstNumber, Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.session_keys import named_key
from runtime.gateway.journal.runs import RunRequest
from runtime.gateway.methods.asking import changes, describe_session
from runtime.gateway.methods.request_parts import Key, Word
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import made_run
from runtime.gateway.runs.replies import COMPACT, PLAIN_KINDS
from runtime.gateway.runs.sessions import OpenConversation
from workers.agent import HistoryItem

KEPT = 4  # entries that stay beside a summary
MAX_SUMMARY = 16 * 1024  # characters
ASK = (
    "Sum up the conversation so far, for yourself: you will go on with it and see your summary in "
    "its place. Keep names, numbers, decisions, and what is still to be done. Answer with the "
    "summary alone."
)
NO_TRANSCRIPT, SMALL = "no transcript", "Nothing to compact (session too small)"
ELSEWHERE = frozenset({"openclaw"})  # kinds that keep what was said themselves


class SessionsCompactParams(Params):
    """The params of ``sessions.compact``: with ``max_lines`` so many entries are kept."""

    key: Key
    agent_id: Word | None = None
    max_lines: FirstNumber | None = None


@method("sessions.compact", ADMIN, SessionsCompactParams)
@changes(describe_session("compacted", "compacted"))
async def sessions_compact(
    parts: GatewayParts, client: ConnectedClient, params: SessionsCompactParams
) -> Any:
    """Shorten what the agent is given of a session. It gets only the newest `maxLines` entries, or
    its own summary instead of the older ones. The transcript stays complete.
    """
    key = parts.asking.answered_key(params.key, params.agent_id)
    journal = await parts.asking.journal()
    session = await journal.session(key)
    nothing = {"ok": True, "key": key, "compacted": False, "reason": NO_TRANSCRIPT}
    if session is None:
        return nothing
    _require_history(parts, session.agent)
    numbers = _numbers(await parts.asking.conversation(key))
    kept = KEPT if params.max_lines is None else params.max_lines
    if not numbers:
        return nothing
    if len(numbers) <= kept:
        if params.max_lines is None:
            return {"ok": False, "key": key, "compacted": False, "reason": SMALL}
        return {"ok": True, "key": key, "compacted": False, "kept": len(numbers)}
    answer: dict[str, Any] = {"ok": True, "key": key, "compacted": True}
    upto = numbers[-kept - 1]
    if params.max_lines is not None:
        await _shorten(parts, await parts.asking.conversation(key), upto)
        return answer | {"kept": kept}
    _require_words(parts, session.agent)
    _require_rest(parts, key)
    with parts.broadcast.sessions.operation(session, "compact"):
        result = await _sum_up(parts, key, upto)
    return answer | {"result": result}


def _numbers(conversation: OpenConversation) -> list[int]:
    return [each.number for each in conversation.entries]


def _require_history(parts: GatewayParts, agent: str) -> None:
    kind = parts.agents.kind(agent)
    if kind in ELSEWHERE:
        text = f"an agent of the kind {kind} keeps the conversation itself: compact it there"
        raise RemoteError(INVALID_REQUEST, text)


def _require_words(parts: GatewayParts, agent: str) -> None:
    kind = parts.agents.kind(agent)
    if kind in PLAIN_KINDS:
        text = f"an agent of the kind {kind} sums up nothing; maxLines shortens without it"
        raise RemoteError(INVALID_REQUEST, text)


def _require_rest(parts: GatewayParts, key: str) -> None:
    if runs := parts.asking.runs.of_session(key):
        begun = any(each.run.started for each in runs)
        text = "an active run" if begun else "queued work"
        raise RemoteError(INVALID_REQUEST, f"Session {key} has {text}; retry after it finishes.")


async def _sum_up(parts: GatewayParts, key: str, upto: int) -> dict[str, Any]:
    """Replace the history up to the entry ``upto`` by a summary of the agent."""
    conversation = await parts.asking.conversation(key)
    session = conversation.session
    known = (session.id, session.told_since, parts.sessions.erasures)
    summary = await _summary(parts, session.agent, conversation.history(upto))
    conversation = await parts.asking.conversation(key)
    session = conversation.session
    if (session.id, session.told_since, parts.sessions.erasures) != known:
        raise RemoteError(INVALID_REQUEST, f"Session {key} changed before compaction. Retry.")
    await _shorten(parts, conversation, upto, summary)
    return {"summary": summary, "kept": len(conversation.entries)}


async def _shorten(
    parts: GatewayParts, conversation: OpenConversation, upto: int, summary: str | None = None
) -> None:
    conversation.shorten(upto, summary)
    await parts.asking.store_session(conversation.session)
    parts.broadcast.sessions.publish_change(conversation.session, reason="compact", compacted=True)


async def _summary(parts: GatewayParts, agent: str, history: list[HistoryItem]) -> str:
    """Ask the agent, outside the conversation, for a summary; return it."""
    name = f"{COMPACT}_{uuid.uuid4()}"
    own = named_key(agent, "explicit", name)
    request = RunRequest(ASK, fields={"history": [to_builtins(each) for each in history]})
    asked = await parts.asking.ask(made_run(name, own, request, client=COMPACT))
    run = await asked.wait()
    parts.sessions.forget(own)
    if run.state != "final" or not run.answer.strip():
        raise RemoteError(UNAVAILABLE, "the agent has made no summary; nothing was changed")
    return run.answer.strip()[:MAX_SUMMARY]
