"""Returns the outcomes of messages so far, one word each: ``messages.outcomes``. Ours.

A client asks for those that it shows: the events of messages are not made larger by it, and nothing
is sent of messages that are on no screen.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from ipc.errors import RemoteError
from ipc.frames.cursors import Cursor
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ
from runtime.gateway.access_policy.admit import REASONS
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.conversations.message_outcomes import (
    MessageOutcome,
    incoming_outcome,
    outgoing_outcome,
)
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import Run
from runtime.gateway.methods.request_parts import cursor_in
from runtime.gateway.methods.trace import find_run, frame_at, last_run
from runtime.gateway.outbox.outbox import OPEN_SECONDS
from runtime.gateway.outbox.previews import answer_key, answered_run
from runtime.gateway.parts import GatewayParts


class NamedMessage(Struct, forbid_unknown_fields=True):
    """One message: its account, and a ``cursor`` or an idempotency ``key``. ``cursor`` is that of
    its event, ``key`` that under which it was sent. ``id`` is the platform's, by which a message
    without a journal is known.
    """

    account: Annotated[str, Meta(min_length=1, max_length=129)]
    cursor: Annotated[str, Meta(max_length=41)] | UnsetType = UNSET
    key: Annotated[str, Meta(min_length=1, max_length=512)] | UnsetType = UNSET
    id: Annotated[str, Meta(max_length=512)] = ""


class OutcomesParams(Params):
    """The params of ``messages.outcomes``: messages in by cursor, messages out by key."""

    messages: Annotated[list[NamedMessage], Meta(min_length=1, max_length=100)]


@method("messages.outcomes", READ, OutcomesParams, ours=True)
async def messages_outcomes(
    parts: GatewayParts, client: ConnectedClient, params: OutcomesParams
) -> Any:
    """Answer with the outcomes so far of messages that a client shows, in order. Each has
    `outcome`, `text` (why), `runId` and `agentId` of the run. Of messages in: `waiting` (for the
    agent), `running`, `sending` (the answer), `answered`, `silent` (no answer), `dropped`,
    `aborted`, `none` (no run is known). Of messages out: `sending`, `sent`. Of both: `failed`,
    `unknown` (perhaps sent).
    """
    await parts.intake.wait_until_open(OPEN_SECONDS)
    journal = parts.intake.journal if parts.intake.ready else None
    return {"outcomes": [await _shown(parts, journal, each) for each in params.messages]}


async def _shown(
    parts: GatewayParts, journal: Journal | None, named: NamedMessage
) -> dict[str, Any]:
    if named.cursor is not UNSET:
        cursor = cursor_in("messages.outcomes", named.cursor)
        found, run = await _incoming(parts, journal, named, cursor)
    elif named.key is not UNSET:
        found, run = await _outgoing(parts, journal, named.account, named.key)
    else:
        text = "invalid messages.outcomes params: one of cursor and key is required"
        raise RemoteError(INVALID_REQUEST, text)
    answer: dict[str, Any] = {"outcome": found.word}
    if found.text:
        answer["text"] = (
            REASONS.get(found.text, found.text) if found.word == "dropped" else found.text
        )
    return answer if run is None else answer | {"runId": run.id, "agentId": run.agent}


async def _incoming(
    parts: GatewayParts, journal: Journal | None, named: NamedMessage, cursor: Cursor
) -> tuple[MessageOutcome, Run | None]:
    run = await find_run(parts, journal, f"{named.account}/{named.cursor}")
    if run is None:
        reason = parts.gatekeeper.reasons.of(named.account, named.id)
        if reason is None and journal is not None:
            frame = await frame_at(journal, named.account, cursor)
            reason = None if frame is None else frame.dropped
        return incoming_outcome(reason, None, None), None
    last = await last_run(parts, journal, run)
    row = None
    if last.reply is not None and not last.is_open and journal is not None:
        sent = await journal.sent_by(last.reply.account, answer_key(last.id))
        row = None if sent is None else sent.row
    return incoming_outcome(None, last, row), last


async def _outgoing(
    parts: GatewayParts, journal: Journal | None, account: str, key: str
) -> tuple[MessageOutcome, Run | None]:
    answered = answered_run(key)
    run = None if answered is None else await find_run(parts, journal, answered)
    sent = None if journal is None else await journal.sent_by(account, key)
    return outgoing_outcome(None if sent is None else sent.row), run
