"""A message's way, as operators see it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.gateway.conversations.error_texts import TEXTS
from runtime.gateway.conversations.traces import admission, arrival, outbox_row, run_row
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run

RUN = Run("irc:a/1:2", "agent:echo:main", "echo", state="final", at=5, started=6, ended=7)


@pytest.mark.parametrize(
    ("event", "run", "outcome"),
    [
        ({"message": {}}, RUN, "run"),
        (None, RUN, "run"),
        ({"message": {}, "dropped": "not_allowed"}, None, "drop"),
        ({"message": {}}, None, "none"),
    ],
)
def test_what_was_decided(event: Any, run: Run | None, outcome: str) -> None:
    found = admission(event, run)
    assert found["outcome"] == outcome
    assert found.get("reason") == (event or {}).get("dropped")


def test_a_run_has_what_is_known_of_it() -> None:
    assert run_row(RUN) == {
        "runId": "irc:a/1:2",
        "sessionKey": "agent:echo:main",
        "agentId": "echo",
        "state": "final",
        "acceptedAt": 5,
        "startedAt": 6,
        "endedAt": 7,
    }
    failed = run_row(Run("r", "s", "echo", state="error", error="refused"))
    assert failed["told"] == TEXTS["refused"].text


def test_a_message_and_its_answer() -> None:
    assert arrival(9, {"message": {"id": "m", "text": "hi"}, "dropped": "x"}) == {
        "receivedAt": 9,
        "id": "m",
        "text": "hi",
    }
    row = outbox_row("irc:a", OutgoingRow("run:r", "id1", "chat", state="sent", attempts=2))
    known = {"account": "irc:a", "id": "id1", "state": "sent", "attempts": 2}
    assert row | known == row
