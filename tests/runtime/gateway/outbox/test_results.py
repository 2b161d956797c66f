"""Rows of messages, and what their callers are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.outbox.results import digest_of, outgoing_of, require_same, sent_of
from workers.messages import Outbound, Sent

KEY = "irc:libera"


def row(**fields: Any) -> OutgoingRow:
    return OutgoingRow("k", "id", "ada", **fields)


def test_a_row_is_made_of_its_message_alone() -> None:
    message = Outbound("ada", "hi", "k")
    payload = msgspec.json.encode(message)
    made = outgoing_of(KEY, message, payload, "queue", 5, 9)
    assert made == outgoing_of(KEY, message, payload, "queue", 5, 9)
    assert (made.row.key, made.row.chat, made.row.origin) == ("k", "ada", "queue")
    assert (made.row.at, made.row.expires, made.row.state) == (5, 9, "queued")
    assert made.row.id != outgoing_of("irc:oftc", message, payload, "queue", 5, 9).row.id


def test_a_key_stands_for_one_content() -> None:
    made = row(digest=digest_of(b"one"))
    require_same(made, digest_of(b"one"))
    require_same(row(), digest_of(b"two"))  # of version 1: it is not known
    with pytest.raises(RemoteError, match="already used for different input") as found:
        require_same(made, digest_of(b"two"))
    assert (found.value.code, found.value.details) == (
        "INVALID_REQUEST",
        {"reason": "chat-request-conflict"},
    )


def test_what_was_sent_in_parts_has_the_first_ones_id() -> None:
    parts = [Sent("p1", "ada", 5), Sent("p2", "ada", 6, 2)]
    assert sent_of(KEY, row(state="sent", sent=parts), 0) == Sent("p1", "ada", 5, 3)


@pytest.mark.parametrize(
    ("fields", "retryable", "after", "details"),
    [
        ({"state": "expired"}, True, None, {}),
        (
            {"state": "expired", "reason": "rate_limited", "next": 900},
            True,
            400,
            {"reason": "rate_limited"},
        ),
        ({"state": "failed", "reason": "blocked"}, False, None, {"reason": "blocked"}),
        ({"state": "failed", "reason": "failed"}, False, None, {}),
        ({"state": "unknown", "reason": "unknown"}, False, None, {"maybeExecuted": True}),
    ],
)
def test_what_a_caller_is_told(
    fields: dict[str, Any], retryable: bool, after: int | None, details: dict[str, Any]
) -> None:
    with pytest.raises(RemoteError) as found:
        sent_of(KEY, row(error="because", **fields), 500)
    error = found.value
    assert (error.code, error.retryable, error.retry_after_ms) == ("UNAVAILABLE", retryable, after)
    assert error.details == {"outboxId": "id"} | details
    assert "because" in error.message
