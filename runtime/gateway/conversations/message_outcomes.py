"""Describes the present state of an incoming or outgoing message in one word. Pure.

The whole way is what ``runtime.gateway.conversations.traces`` shows; this is what has room beside
a message in a list.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from runtime.gateway.conversations.run_answers import failure_of
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run

MAX_TEXT = 200  # characters of the reason

OutcomeWord = Literal[
    "none",
    "dropped",
    "waiting",
    "running",
    "sending",
    "answered",
    "silent",
    "sent",
    "unknown",
    "failed",
    "aborted",
]

_ROWS: dict[str, OutcomeWord] = {
    "queued": "sending",
    "attempting": "sending",
    "sent": "sent",
    "unknown": "unknown",
    "failed": "failed",
    "expired": "failed",
}
EXPIRED = "it waited too long for its account"


class MessageOutcome(NamedTuple):
    """The state of a message: ``word`` names it, ``text`` gives the reason if it is known."""

    word: OutcomeWord
    text: str = ""


def incoming_outcome(
    dropped: str | None, run: Run | None, row: OutgoingRow | None
) -> MessageOutcome:
    """Return the state of an incoming message.

    ``run`` is the one that it was asked in, ``row`` that of its answer; ``dropped`` is why it
    has no run, where that is known.
    """
    if run is None:
        return MessageOutcome("none") if dropped is None else MessageOutcome("dropped", dropped)
    if run.is_open:
        return MessageOutcome("running" if run.state == "running" else "waiting")
    failure = failure_of(run)
    if failure is not None:
        return MessageOutcome("failed", failure.text[:MAX_TEXT])
    if run.state == "aborted":
        return MessageOutcome("aborted", run.detail[:MAX_TEXT])
    if row is None:
        return MessageOutcome("silent")
    found = outgoing_outcome(row)
    return found._replace(word="answered") if found.word == "sent" else found


def outgoing_outcome(row: OutgoingRow | None) -> MessageOutcome:
    """Return the state of an outgoing message; without a row, its worker sent it directly."""
    if row is None or row.state == "sent":
        return MessageOutcome("sent")
    text = EXPIRED if row.state == "expired" else row.error or row.reason
    return MessageOutcome(_ROWS[row.state], text[:MAX_TEXT])
