"""Lists and reads sessions: ``sessions.list``, ``resolve``, ``describe``, ``get``, ``preview``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import Number, Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.history_views import MAX_CHARS, history_page, preview_items
from runtime.gateway.conversations.session_rows import defaults_of, session_row, title_of
from runtime.gateway.journal.conversations import (
    Session,
    SessionFilter,
    TranscriptEntry,
)
from runtime.gateway.journal.interface import Journal
from runtime.gateway.methods.request_parts import Key, Word
from runtime.gateway.methods.transcript_pages import newest_entries
from runtime.gateway.parts import GatewayParts

PREVIEW_ENTRIES = 50  # of which the last words are taken
MAX_KEYS = 64
MAX_MINUTES = 1_000_000_000  # almost two thousand years
FIRST_ENTRIES = 1


class SessionsListParams(Params):
    """The params of ``sessions.list``; those without a meaning here are accepted and ignored."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    offset: Number = 0
    active_minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)] | None = None
    label: Word | None = None
    agent_id: Word | None = None
    search: Word = ""
    archived: bool | Literal["all"] = False
    include_derived_titles: bool = False
    include_last_message: bool = False
    include_global: bool | None = None
    include_unknown: bool | None = None
    configured_agents_only: bool | None = None
    include_people: bool | None = None
    owner_first: bool | None = None
    require_last_interaction: bool | None = None
    sort_by: Word | None = None
    spawned_by: Word | None = None


class SessionsResolveParams(Params):
    """The params of ``sessions.resolve``: one of key, id and label."""

    key: Word | None = None
    session_id: Word | None = None
    label: Word | None = None
    agent_id: Word | None = None
    allow_missing: bool = False


class SessionKeyParams(Params):
    """One session by its key; a bare one is of the agent ``agent_id``."""

    key: Key
    agent_id: Word | None = None


class SessionsDescribeParams(SessionKeyParams):
    """The params of ``sessions.describe``."""

    include_derived_titles: bool = False
    include_last_message: bool = False


class SessionsGetParams(SessionKeyParams):
    """The params of ``sessions.get``."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class SessionsPreviewParams(Params):
    """The params of ``sessions.preview``."""

    keys: Annotated[list[Key], Meta(max_length=MAX_KEYS)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 12
    max_chars: Annotated[int, Meta(ge=20, le=2000)] = 240


@method("sessions.list", READ, SessionsListParams)
async def sessions_list(
    parts: GatewayParts, client: ConnectedClient, params: SessionsListParams
) -> Any:
    """Answer with sessions, the most recently changed first."""
    journal, now = await parts.asking.journal(), now_ms()
    since = now - params.active_minutes * 60_000 if params.active_minutes else 0
    which = SessionFilter(
        agent=parts.agents.filtered(params.agent_id),
        label=params.label,
        text=params.search,
        archived=None if params.archived == "all" else params.archived,
        since=since,
    )
    found, total = await journal.sessions(which, params.limit, params.offset)
    reached = params.offset + len(found)
    entry = parts.agents.listed.entries.get(parts.agents.named(params.agent_id))
    return {
        "ts": now,
        "path": str(parts.boot.state_dir),
        "count": len(found),
        "totalCount": total,
        "limitApplied": params.limit,
        "offset": params.offset,
        "nextOffset": reached if reached < total else None,
        "hasMore": reached < total,
        "owners": [],
        "defaults": defaults_of("", "") if entry is None else defaults_of(entry.label, entry.kind),
        "sessions": [await _listed(parts, journal, each, params) for each in found],
    }


@method("sessions.resolve", READ, SessionsResolveParams)
async def sessions_resolve(
    parts: GatewayParts, client: ConnectedClient, params: SessionsResolveParams
) -> Any:
    """Answer with the key of a session that is named by key, id or label."""
    if not (params.key or params.session_id or params.label):
        text = "Either key, sessionId, label, shortId, or reference is required"
        raise RemoteError(INVALID_REQUEST, text)
    journal = await parts.asking.journal()
    found = await _named(parts, journal, params)
    if found is not None:
        return {"ok": True, "key": found.key, "agentId": found.agent}
    if params.allow_missing:
        return {"ok": False}
    what = params.key or params.session_id
    text = f"No session found: {what}" if what else f"No session found with label: {params.label}"
    raise RemoteError(INVALID_REQUEST, text)


@method("sessions.describe", READ, SessionsDescribeParams)
async def sessions_describe(
    parts: GatewayParts, client: ConnectedClient, params: SessionsDescribeParams
) -> Any:
    """Answer with the row of a session, `null` for an unknown one."""
    journal = await parts.asking.journal()
    session = await journal.session(parts.asking.key_in(params.key, params.agent_id))
    return {"session": None if session is None else await _listed(parts, journal, session, params)}


@method("sessions.get", READ, SessionsGetParams)
async def sessions_get(
    parts: GatewayParts, client: ConnectedClient, params: SessionsGetParams
) -> Any:
    """Answer with the newest entries of a session's transcript."""
    journal = await parts.asking.journal()
    session = await journal.session(parts.asking.key_in(params.key, params.agent_id))
    if session is None:
        return {"messages": []}
    entries = await newest_entries(parts, client, session, params.limit)
    total = max(session.messages, len(entries))
    return {"messages": history_page(entries, total, max_chars=MAX_CHARS)["messages"]}


@method("sessions.preview", READ, SessionsPreviewParams)
async def sessions_preview(
    parts: GatewayParts, client: ConnectedClient, params: SessionsPreviewParams
) -> Any:
    """Answer with the last messages of some sessions."""
    journal, previews = await parts.asking.journal(), []
    for given in params.keys:
        session = await journal.session(parts.asking.key_in(given))
        items: list[dict[str, Any]] = []
        if session is not None:
            entries = await _entries(journal, session, PREVIEW_ENTRIES)
            items = preview_items(entries, limit=params.limit, max_chars=params.max_chars)
        status = "missing" if session is None else "ok" if items else "empty"
        previews.append({"key": given, "status": status, "items": items})
    return {"ts": now_ms(), "previews": previews}


async def _named(
    parts: GatewayParts, journal: Journal, params: SessionsResolveParams
) -> Session | None:
    if params.key:
        return await journal.session(parts.asking.key_in(params.key, params.agent_id))
    agent = parts.agents.filtered(params.agent_id)
    which = SessionFilter(agent=agent, id=params.session_id, label=params.label)
    found, _ = await journal.sessions(which, 1)
    return found[0] if found else None


async def _entries(journal: Journal, session: Session, limit: int) -> list[TranscriptEntry]:
    """Return the newest entries of a session since its last reset."""
    entries = await journal.entries(session.key, limit)
    return [each for each in entries if each.number > session.since]


async def _listed(
    parts: GatewayParts,
    journal: Journal,
    session: Session,
    params: SessionsListParams | SessionsDescribeParams,
) -> dict[str, Any]:
    row = row_of(parts, session)
    if params.include_derived_titles:
        first = await journal.entries(session.key, FIRST_ENTRIES, after=session.since)
        if first and first[0].text:
            row["derivedTitle"] = title_of(first[0].text)
    if params.include_last_message and (entries := await _entries(journal, session, FIRST_ENTRIES)):
        row["lastMessagePreview"] = title_of(entries[-1].text)
    return row


def row_of(parts: GatewayParts, session: Session) -> dict[str, Any]:
    """Return the row of a session, with its runs."""
    return session_row(session, [each.run for each in parts.runs.of_session(session.key)])
