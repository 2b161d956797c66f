"""Builds the trace of a message for operators, from its arrival to the answer. Pure."""

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


def arrival(at: int, event: Mapping[str, Any]) -> Row:
    """Return the entry of a message's arrival; the text of a dropped message is not kept."""
    return {"receivedAt": at, **event.get("message", {})}


def admission(event: Mapping[str, Any] | None, run: Run | None) -> Row:
    """Return the entry of a message's admission."""
    if run is not None:
        return {"outcome": "run"} | ({"at": run.decided} if run.decided else {})
    if event is not None and "dropped" in event:
        return {"outcome": "drop", "reason": event["dropped"]}
    return {"outcome": "none", "text": NO_RUN}


def run_row(run: Run) -> Row:
    """Return the entry of a run's progress; ``told`` is the error text sent to the person."""
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
    """Return the entry of an answer's delivery into the chat."""
    return {"account": account, **msgspec.to_builtins(row)}
