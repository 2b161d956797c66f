"""Builds the results of searches in transcripts and the token usage of sessions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from runtime.gateway.conversations.history_views import shown_text, usage_of
from runtime.gateway.journal.conversations import FoundEntry, Session, lowered

SNIPPET = 160  # characters
SPOKEN = ("user", "assistant")

Row = dict[str, Any]


def hits_of(
    found: Sequence[FoundEntry],
    sessions: Mapping[str, Session],
    query: str,
    *,
    limit: int,
    once: bool = False,
) -> list[Row]:
    """Return the hits of ``found``, newest first, that belong to existing ``sessions``.

    What was said before a session was begun anew is none. ``once``: of each session the newest.
    """
    rows: list[Row] = []
    seen: set[str] = set()
    for each in found:
        session, entry = sessions.get(each.session), each.entry
        if session is None or entry.number <= session.since or entry.role not in SPOKEN:
            continue
        if once and each.session in seen:
            continue
        seen.add(each.session)
        rows.append(
            {
                "sessionKey": each.session,
                "sessionId": session.id,
                "messageId": str(entry.number),
                "role": entry.role,
                "timestamp": entry.at,
                "snippet": snippet(shown_text(entry), query),
                "score": 1 / (1 + len(rows)),
            }
        )
        if len(rows) == limit:
            break
    return rows


def snippet(text: str, query: str) -> str:
    """Return an excerpt of a text around the first query word that it contains."""
    plain = " ".join(text.split())
    low = lowered(plain)
    places = [at for word in lowered(query).split() if (at := low.find(word)) >= 0]
    start = max(0, min(places, default=0) - SNIPPET // 4)
    end = start + SNIPPET
    return f"{'…' if start else ''}{plain[start:end]}{'…' if end < len(plain) else ''}"


def usage_report(sessions: Sequence[Session], now: int) -> Row:
    """Return the token counts of sessions and their sums, without costs."""
    rows = [_usage_row(each) for each in sessions]
    names = ("input", "output", "cacheRead", "cacheWrite", "totalTokens")
    totals: Row = {name: sum(row["usage"][name] for row in rows) for name in names}
    totals |= {"totalCost": 0, "missingCostEntries": len([row for row in rows if row["runs"]])}
    first = min((each.created for each in sessions if each.created), default=now)
    return {
        "updatedAt": now,
        "startDate": _day(first),
        "endDate": _day(now),
        "sessions": rows,
        "totals": totals,
    }


def _usage_row(session: Session) -> Row:
    usage = usage_of(session.usage)
    return {
        "key": session.key,
        "sessionId": session.id,
        "agentId": session.agent,
        "updatedAt": session.updated,
        "runs": session.runs,
        "usage": usage | {"messageCount": session.messages},
    } | ({"label": session.label} if session.label else {})


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
