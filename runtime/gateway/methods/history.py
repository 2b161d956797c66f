"""Reads what was said in a session: ``chat.history``, ``chat.startup``, ``chat.message.get``."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from ipc.frames.requests import Params
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.history_views import MAX_CHARS, history_page, history_row
from runtime.gateway.conversations.reply_tags import shown_so_far
from runtime.gateway.conversations.session_keys import agent_of
from runtime.gateway.conversations.session_rows import defaults_of, session_row
from runtime.gateway.journal.conversations import Session, TranscriptEntry
from runtime.gateway.methods.request_parts import Key, Word
from runtime.gateway.methods.transcript_pages import newest_entries
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.lifecycle import RunPhase

MOST_CHARS = 2_000_000  # of one message, as OpenClaw's schema allows


class ChatHistoryParams(Params):
    """The params of ``chat.history``. ``offset`` counts back from the newest entry."""

    session_key: Key
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    max_chars: Annotated[int, Meta(ge=1, le=MAX_CHARS)] = MAX_CHARS
    agent_id: Word | None = None


class ChatMessageGetParams(Params):
    """The params of ``chat.message.get``: ``message_id`` as ``chat.history`` has it."""

    session_key: Key
    message_id: Word
    max_chars: Annotated[int, Meta(ge=1, le=MOST_CHARS)] = MAX_CHARS
    agent_id: Word | None = None


@method("chat.history", READ, ChatHistoryParams)
async def chat_history(
    parts: GatewayParts, client: ConnectedClient, params: ChatHistoryParams
) -> Any:
    """Answer with the newest entries of a session's transcript, and with waiting messages. An
    unknown session is empty.
    """
    key = parts.asking.key_in(params.session_key, params.agent_id)
    journal = await parts.asking.journal()
    session = await journal.session(key)
    entries: list[TranscriptEntry] = []
    if session is not None:
        entries = await newest_entries(parts, client, session, params.limit, params.offset)
    total = 0 if session is None else max(session.messages, len(entries) + params.offset)
    if not entries and params.offset:
        total = 0 if session is None else session.messages
    live = [each.run for each in parts.runs.of_session(key)]
    entry = parts.agents.listed.entries.get(agent_of(key))
    answer: dict[str, Any] = {"sessionKey": key}
    if session is not None and session.id:
        answer["sessionId"] = session.id
    answer |= history_page(entries, total, offset=params.offset, max_chars=params.max_chars)
    answer |= {
        "pendingInputs": _pending(parts, key),
        "defaults": defaults_of("", "") if entry is None else defaults_of(entry.label, entry.kind),
        "sessionInfo": session_row(session or Session(key, agent_of(key)), live),
    }
    return answer | _in_flight(parts, key)


@method("chat.startup", READ, ChatHistoryParams)
async def chat_startup(
    parts: GatewayParts, client: ConnectedClient, params: ChatHistoryParams
) -> Any:
    """Answer as `chat.history` does, for a client that shows a session for the first time."""
    return await chat_history(parts, client, params)


@method("chat.message.get", READ, ChatMessageGetParams)
async def chat_message_get(
    parts: GatewayParts, client: ConnectedClient, params: ChatMessageGetParams
) -> Any:
    """Answer with one message of a session's transcript by its id."""
    key = parts.asking.key_in(params.session_key, params.agent_id)
    journal = await parts.asking.journal()
    session = await journal.session(key)
    number = int(params.message_id) if params.message_id.isdecimal() else 0
    if session is not None and session.since < number < 1 << 62:
        for entry in await journal.entries(key, 1, after=number - 1):
            if entry.number == number:
                row = history_row(entry, number, params.max_chars)
                del row["__openclaw"]["seq"]  # its place in the session is not looked for
                return {"ok": True, "message": row}
    return {"ok": False, "unavailableReason": "not_found"}


def _pending(parts: GatewayParts, key: str) -> dict[str, Any]:
    waiting = [
        each.run for each in parts.runs.of_session(key) if each.life.phase is RunPhase.QUEUED
    ]
    items = [
        {
            "id": each.id,
            "acceptedAt": each.at,
            "state": "queued",
            "message": each.request.text,
            "runId": each.id,
        }
        for each in waiting
    ]
    return {"items": items, "total": len(items)}


def _in_flight(parts: GatewayParts, key: str) -> dict[str, Any]:
    """Return the running run of a session, with its answer so far."""
    for each in parts.runs.of_session(key):
        if each.life.phase is RunPhase.RUNNING:
            shown = {"runId": each.run.id, "text": shown_so_far(each.partial.text)}
            return {"inFlightRun": shown | {"startedAt": each.run.started}}
    return {}
