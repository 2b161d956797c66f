"""What clients see of a search, and of the tokens of sessions."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.conversations.session_reports import hits_of, snippet, usage_report
from runtime.gateway.journal.conversations import FoundEntry, Session, TranscriptEntry

SESSIONS = {
    "a": Session("a", "echo", "ida", since=4),
    "b": Session("b", "echo", "idb"),
}


def found(session: str, number: int, role: Any = "user", text: str = "hello you") -> FoundEntry:
    return FoundEntry(session, TranscriptEntry(role, text, at=number * 10, number=number))


def test_hits_are_words_of_people_and_agents_since_the_last_reset() -> None:
    given = [
        found("a", 9),
        found("b", 8, "assistant", "[[reply_to_current]] hello"),
        found("a", 7, "notice"),
        found("gone", 6),
        found("a", 5),
        found("a", 4),
    ]
    rows = hits_of(given, SESSIONS, "hello", limit=9)
    assert [each["messageId"] for each in rows] == ["9", "8", "5"]
    assert rows[1] == {
        "sessionKey": "b",
        "sessionId": "idb",
        "messageId": "8",
        "role": "assistant",
        "timestamp": 80,
        "snippet": "hello",
        "score": 0.5,
    }
    once = hits_of(given, SESSIONS, "hello", limit=9, once=True)
    assert [each["messageId"] for each in once] == ["9", "8"]
    assert len(hits_of(given, SESSIONS, "hello", limit=1)) == 1


@pytest.mark.parametrize(
    ("text", "query", "begins", "ends"),
    [
        ("short  text", "text", "short text", "short text"),
        ("a" * 300, "none", "aaa", "a…"),
        ("x " * 200 + "needle" + " y" * 200, "NEEDLE", "…", "…"),
    ],
)
def test_a_snippet_is_around_what_was_found(text: str, query: str, begins: str, ends: str) -> None:
    shown = snippet(text, query)
    assert shown.startswith(begins)
    assert shown.endswith(ends)
    assert len(shown) <= 162
    assert query.lower() in shown or query == "none"


def test_tokens_are_summed_and_costs_are_not_known() -> None:
    usage = {"input": 5, "output": 2}
    report = usage_report(
        [
            Session("a", "echo", "ida", created=1000, usage=usage, runs=2, messages=4, label="L"),
            Session("b", "echo", "idb", created=2000),
        ],
        86_400_000,
    )
    assert report["totals"]["totalTokens"] == 7
    assert (report["totals"]["totalCost"], report["totals"]["missingCostEntries"]) == (0, 1)
    assert (report["startDate"], report["endDate"]) == ("1970-01-01", "1970-01-02")
    assert report["sessions"][0]["usage"]["messageCount"] == 4
    assert [each.get("label") for each in report["sessions"]] == ["L", None]
    assert usage_report([], 0)["sessions"] == []
