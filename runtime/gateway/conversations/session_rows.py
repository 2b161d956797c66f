"""Builds the rows of sessions that clients see, in OpenClaw's shape. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.gateway.conversations.session_keys import (
    BadSessionKey,
    classification,
    main_key,
    parts_of,
)
from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.runs import Run

PROVIDER = "trunkline"
MAX_TITLE = 60
OFF = "off"
THINKING = (OFF, "minimal", "low", "medium", "high")
THINKS = frozenset({"openai", "openclaw"})  # kinds that hand on how a turn is to be thought about

Row = dict[str, Any]


def session_row(session: Session, runs: Sequence[Run] = ()) -> Row:
    """Return the row of a session; ``runs`` are its runs that have not ended."""
    usage, kind = session.usage, _kind(session.key)
    counts = [int(usage.get(name, 0)) for name in ("input", "output")]
    row: Row = {
        "key": session.key,
        "kind": "group" if kind == "group" else "direct",
        "classification": kind,
        "agentId": session.agent,
        "sessionId": session.id,
        "isMain": session.key == main_key(session.agent),
        "createdAt": session.created,
        "updatedAt": session.updated,
        "messageCount": session.messages,
        "inputTokens": counts[0],
        "outputTokens": counts[1],
        "totalTokens": sum(counts),
        "totalTokensFresh": bool(usage),
        "modelProvider": PROVIDER,
        "status": "running" if any(each.started for each in runs) else "done",
        "hasActiveRun": bool(runs),
        "activeRunIds": [each.id for each in runs],
        "archived": session.archived,
        "pinned": session.pinned,
        "unread": False,
    }
    if session.archived:
        row["archivedAt"] = session.archived_at
    if session.label:
        row |= {"label": session.label, "displayName": session.label}
    if session.channel:
        row |= {"channel": session.channel, "chatType": row["kind"]}
    if session.account:
        row |= _delivery(session)
    return row | {name: each for name, each in session.settings.items() if name in SETTINGS}


def thinking_levels(kind: str) -> list[Row]:
    """Return the thinking levels that an agent of a kind accepts, by what its kind passes on."""
    levels = THINKING if kind in THINKS else (OFF,)
    return [{"id": each, "label": each} for each in levels]


def defaults_of(model: str, kind: str) -> Row:
    """Return the default settings of a session, from its agent."""
    return {
        "modelProvider": PROVIDER,
        "model": model,
        "agentRuntime": {"id": kind},
        "thinkingLevels": thinking_levels(kind),
        "thinkingDefault": OFF,
    }


SETTINGS = frozenset(
    {
        "model",
        "thinkingLevel",
        "fastMode",
        "traceLevel",
        "verboseLevel",
        "reasoningLevel",
        "responseUsage",
        "elevatedLevel",
        "sendPolicy",
        "groupActivation",
    }
)


def title_of(text: str) -> str:
    """Return a title for a session, derived from its first words."""
    plain = " ".join(text.split())
    return plain if len(plain) <= MAX_TITLE else plain[: MAX_TITLE - 1] + "…"


def _kind(key: str) -> str:
    try:
        return classification(parts_of(key))
    except BadSessionKey:
        return "custom"


def _delivery(session: Session) -> Row:
    channel, _, account = session.account.partition(":")
    context: Row = {"channel": channel, "to": session.to, "accountId": account}
    if session.thread is not None:
        context["threadId"] = session.thread
    last = {"lastChannel": channel, "lastTo": session.to, "lastAccountId": account}
    return {"deliveryContext": context, **last}
