"""What has become of a message, in one word."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.conversations.error_texts import TEXTS
from runtime.gateway.conversations.message_outcomes import (
    EXPIRED,
    MAX_TEXT,
    incoming_outcome,
    outgoing_outcome,
)
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run, RunState


def run(state: RunState, **fields: Any) -> Run:
    """Return a run in a state."""
    return Run("irc:a/1:2", "agent:echo:main", "echo", state=state, **fields)


def row(state: Any, **fields: Any) -> OutgoingRow:
    """Return the row of an answer in a state."""
    return OutgoingRow("run:irc:a/1:2", "id", "ada", state=state, **fields)


@pytest.mark.parametrize(
    ("dropped", "asked", "answer", "found"),
    [
        (None, None, None, ("none", "")),
        ("dm-disabled", None, None, ("dropped", "dm-disabled")),
        (None, run("queued"), None, ("waiting", "")),
        (None, run("running"), None, ("running", "")),
        (None, run("final"), None, ("silent", "")),
        (None, run("final"), row("queued"), ("sending", "")),
        (None, run("final"), row("attempting"), ("sending", "")),
        (None, run("final"), row("sent"), ("answered", "")),
        (None, run("final"), row("unknown", error="it has died"), ("unknown", "it has died")),
        (None, run("final"), row("failed", reason="blocked"), ("failed", "blocked")),
        (None, run("final"), row("expired", error="away"), ("failed", EXPIRED)),
        (None, run("aborted", detail="stop"), None, ("aborted", "stop")),
        (None, run("error", error="refused"), row("sent"), ("failed", TEXTS["refused"].text)),
    ],
)
def test_what_has_become_of_a_message_that_came_in(
    dropped: str | None, asked: Run | None, answer: OutgoingRow | None, found: tuple[str, str]
) -> None:
    assert incoming_outcome(dropped, asked, answer) == found


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (None, ("sent", "")),
        (row("sent"), ("sent", "")),
        (row("attempting", error="before"), ("sending", "before")),
        (row("unknown", error="x" * 500), ("unknown", "x" * MAX_TEXT)),
    ],
)
def test_what_has_become_of_a_message_that_went_out(
    sent: OutgoingRow | None, found: tuple[str, str]
) -> None:
    assert outgoing_outcome(sent) == found
