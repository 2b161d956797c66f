"""The rows of sessions that clients see."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runtime.gateway.conversations.session_rows import session_row, title_of
from runtime.gateway.journal.conversations import Session
from runtime.gateway.journal.runs import Run

PLAIN = Session("agent:echo:main", "echo", "id-1", created=1, updated=2, messages=3)
RUN = Run("r", PLAIN.key, "echo", state="running", started=5)


def test_a_row_says_what_runs_and_what_was_counted() -> None:
    row = session_row(replace(PLAIN, usage={"input": 3, "output": 4}), [RUN])
    assert (row["key"], row["sessionId"], row["status"]) == (PLAIN.key, "id-1", "running")
    assert (row["activeRunIds"], row["hasActiveRun"]) == (["r"], True)
    assert (row["totalTokens"], row["totalTokensFresh"]) == (7, True)
    idle = session_row(PLAIN)
    assert (idle["status"], idle["hasActiveRun"]) == ("done", False)
    assert session_row(PLAIN, [replace(RUN, started=0)])["status"] == "done"
    assert "label" not in idle
    assert "deliveryContext" not in idle


@pytest.mark.parametrize(
    ("key", "kind", "classification"),
    [
        ("agent:echo:main", "direct", "main"),
        ("agent:echo:irc:libera:group:%23x", "group", "group"),
        ("agent:echo:irc:libera:direct:ada", "direct", "direct"),
        ("agent:echo:foo", "direct", "custom"),
        ("nonsense", "direct", "custom"),
    ],
)
def test_the_key_shows_the_kind(key: str, kind: str, classification: str) -> None:
    row = session_row(replace(PLAIN, key=key))
    assert (row["kind"], row["classification"]) == (kind, classification)


def test_a_chat_a_label_and_settings_are_shown() -> None:
    settings = {"sendPolicy": "deny", "queue": {"mode": "collect"}}
    session = replace(
        PLAIN, label="x", channel="irc", account="irc:libera", to="ada", settings=settings
    )
    row = session_row(replace(session, thread="7"))
    assert row["deliveryContext"] == {
        "channel": "irc",
        "to": "ada",
        "accountId": "libera",
        "threadId": "7",
    }
    assert (row["label"], row["lastTo"], row["sendPolicy"]) == ("x", "ada", "deny")
    assert "queue" not in row
    assert "threadId" not in session_row(session)["deliveryContext"]


def test_a_title_is_one_short_line() -> None:
    assert title_of(" a\n b ") == "a b"
    assert len(title_of("x" * 100)) == 60
