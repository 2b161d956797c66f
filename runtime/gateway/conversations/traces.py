"""Makes what operators see of a message's way from its arrival to the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.gateway.conversations.run_answers import failure_of
from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run

Row = dict[str, Any]

NO_RUN = (
    "no run is known: it waits for a decision, was kept as context or carried out as a command, or "
    "its run is older than seven days"
)


def arrived(at: int, event: Mapping[str, Any]) -> Row:
    """Return a message as it has arrived; of one that was dropped its text is not kept."""
    return {"receivedAt": at, **event.get("message", {})}


def admission(event: Mapping[str, Any] | None, run: Run | None) -> Row:
    """Return what was decided about a message."""
    if run is not None:
        return {"outcome": "run"} | ({"at": run.decided} if run.decided else {})
    if event is not None and "dropped" in event:
        return {"outcome": "drop", "reason": event["dropped"]}
    return {"outcome": "none", "text": NO_RUN}


def run_row(run: Run) -> Row:
    """Return how far a run has come; ``told`` is the sentence that the person got instead."""
    row: Row = {
        "runId": run.id,
        "sessionKey": run.session,
        "agentId": run.agent,
        "state": run.state,
        "acceptedAt": run.at,
    }
    times = {
        "startedAt": run.started,
        "answeringAt": run.first,
        "endedAt": run.ended,
        "deadlineAt": run.deadline,
    }
    rest: Row = {"mergedInto": run.merged, "error": run.error, "detail": run.detail}
    rest |= {"answer": run.answer, "deaths": run.deaths}
    row |= {name: each for name, each in (times | rest).items() if each}
    if (failure := failure_of(run)) is not None:
        row["told"] = failure.text
    return row


def outbox_row(account: str, row: OutgoingRow) -> Row:
    """Return how far an answer has come on its way into the chat."""
    return {"account": account, **msgspec.to_builtins(row)}
