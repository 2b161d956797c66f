"""Searches transcripts and counts tokens: ``sessions.search`` and ``sessions.usage``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.epoch import now_ms
from ipc.frames.requests import Params
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.session_keys import agent_of
from runtime.gateway.conversations.session_reports import hits_of, usage_report
from runtime.gateway.journal.conversations import Session, SessionFilter
from runtime.gateway.methods.request_parts import Word
from runtime.gateway.parts import GatewayParts

FOUND = 400  # entries that a search looks at; those of other agents or sessions are left out
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class SessionsSearchParams(Params):
    """The params of ``sessions.search``."""

    query: Annotated[str, Meta(min_length=1, max_length=4096)]
    agent_id: Word | None = None
    session_keys: Annotated[list[Word], Meta(min_length=1, max_length=200)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    result_mode: Literal["messages", "sessions"] = "messages"


class SessionsUsageParams(Params):
    """The params of ``sessions.usage``; what concerns days is named in the answer's ``ignored``."""

    key: Word | None = None
    agent_id: Word | None = None
    agent_scope: Literal["all"] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    start_date: Day | None = None
    end_date: Day | None = None
    mode: Literal["utc", "gateway", "specific"] | None = None
    utc_offset: Word | None = None
    range: Word | None = None
    group_by: Word | None = None
    include_historical: bool | None = None
    include_context_weight: bool | None = None


DAYS = ("start_date", "end_date", "mode", "utc_offset", "range", "group_by", "include_historical")


@method("sessions.search", READ, SessionsSearchParams)
async def sessions_search(
    parts: GatewayParts, client: ConnectedClient, params: SessionsSearchParams
) -> Any:
    """Answer with the newest messages that contain a word beginning with each word of `query`. Case
    and accents do not matter. `resultMode: "sessions"` lists each session once.
    """
    journal = await parts.asking.journal()
    keys = params.session_keys and {parts.asking.key_in(each) for each in params.session_keys}
    agent = parts.agents.filtered(params.agent_id)
    found = [
        each
        for each in await journal.search(params.query, FOUND)
        if (not keys or each.session in keys) and (agent is None or agent_of(each.session) == agent)
    ]
    sessions: dict[str, Session] = {}
    for key in dict.fromkeys(each.session for each in found):
        if (session := await journal.session(key)) is not None:
            sessions[key] = session
    once = params.result_mode == "sessions"
    return {"results": hits_of(found, sessions, params.query, limit=params.limit, once=once)}


@method("sessions.usage", READ, SessionsUsageParams)
async def sessions_usage(
    parts: GatewayParts, client: ConnectedClient, params: SessionsUsageParams
) -> Any:
    """Answer with the tokens that sessions have used since their last reset, and their sums. There
    are no values by day and no costs: `ignored` (ours) names such params.
    """
    journal = await parts.asking.journal()
    if params.key is not None:
        one = await journal.session(parts.asking.key_in(params.key))
        found = [] if one is None else [one]
    else:
        agent = parts.agents.filtered(params.agent_id)
        found, _ = await journal.sessions(SessionFilter(agent=agent), params.limit)
    names = dict(zip(params.__struct_fields__, params.__struct_encode_fields__, strict=True))
    idle = [names[each] for each in DAYS if getattr(params, each) is not None]
    return usage_report(found, now_ms()) | ({"ignored": idle} if idle else {})
