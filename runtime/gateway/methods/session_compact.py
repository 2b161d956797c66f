"""Shortens what an agent is told of a session: ``sessions.compact``.

The transcript stays as it is, for people to read and to search: only what goes along with the next
turns is less.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from msgspec import Meta, to_builtins

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, agent_key
from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.session_keys import named_key
from runtime.gateway.journal.conversations import SessionDeleted
from runtime.gateway.journal.runs import RunRequest
from runtime.gateway.methods.request_parts import Key, Word
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import made_run
from runtime.gateway.runs.replies import PLAIN_KINDS
from runtime.gateway.runs.sessions import OpenConversation

CLIENT = "compact"  # names where its runs come from
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
    max_lines: Annotated[int, Meta(ge=1)] | None = None


@method("sessions.compact", ADMIN, SessionsCompactParams)
async def sessions_compact(
    parts: GatewayParts, client: ConnectedClient, params: SessionsCompactParams
) -> Any:
    """Have the agent told less of what was said in a session: the newest `maxLines` entries, or its
    own summary in place of what is older. The transcript itself stays, and is shown as before.
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
    upto = numbers[-kept - 1]
    summary = None if params.max_lines is not None else await _summary(parts, key, upto)
    conversation = await parts.asking.conversation(key)
    conversation.shorten(upto, summary)
    await parts.asking.store_session(conversation.session)
    parts.broadcast.sessions.changed(conversation.session, reason="compact", compacted=True)
    answer: dict[str, Any] = {"ok": True, "key": key, "compacted": True}
    if summary is None:
        return answer | {"kept": kept}
    return answer | {"result": {"summary": summary, "kept": len(conversation.entries)}}


def _numbers(conversation: OpenConversation) -> list[int]:
    return [each.number for each in conversation.entries]


def _require_history(parts: GatewayParts, agent: str) -> None:
    kind = parts.agents.kind(agent)
    if kind in ELSEWHERE:
        text = f"an agent of the kind {kind} keeps the conversation itself: compact it there"
        raise RemoteError(INVALID_REQUEST, text)


async def _summary(parts: GatewayParts, key: str, upto: int) -> str:
    """Return what the agent says of what comes before, asked in a session of its own."""
    conversation = await parts.asking.conversation(key)
    session = conversation.session
    kind = parts.agents.kind(session.agent)
    if kind in PLAIN_KINDS:
        text = f"an agent of the kind {kind} sums up nothing; maxLines shortens without it"
        raise RemoteError(INVALID_REQUEST, text)
    told = conversation.history(upto)
    name = f"{CLIENT}_{uuid.uuid4()}"
    own = named_key(session.agent, "explicit", name)
    request = RunRequest(ASK, fields={"history": [to_builtins(each) for each in told]})
    asked = await parts.asking.ask(made_run(name, own, request, client=CLIENT))
    run = await asked.end()
    await parts.asking.store(SessionDeleted(agent_key(session.agent), own))
    parts.sessions.forget(own)
    if run.state != "final" or not run.answer.strip():
        raise RemoteError(UNAVAILABLE, "the agent has made no summary; nothing was changed")
    if (await parts.asking.conversation(key)).session.id != session.id:
        raise RemoteError(INVALID_REQUEST, f"Session {key} changed before compaction. Retry.")
    return run.answer.strip()[:MAX_SUMMARY]
