"""Lists, retries and discards messages that were given up: ``deadletters.*``. Ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.frames.requests import Params
from ipc.nesting import decode_json
from runtime.gateway.access.scopes import READ, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.journal.outgoing import OutgoingMessage, OutgoingRow
from runtime.gateway.methods.asking import add_note
from runtime.gateway.outbox.dead_letters import MAX_LETTERS
from runtime.gateway.parts import GatewayParts

PREVIEW = 200  # characters of a message in the list


class LettersParams(Params):
    """The params of ``deadletters.list``: how many, the oldest first, and of which account."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LETTERS)] = 100
    account: Annotated[str, Meta(min_length=1, max_length=129)] | None = None


class LetterParams(Params):
    """The params that name one dead letter."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]


@method("deadletters.list", READ, LettersParams, ours=True)
async def deadletters_list(
    parts: GatewayParts, client: ConnectedClient, params: LettersParams
) -> Any:
    """Answer with the dead letters and the outcome of their last attempt. `text` is the beginning
    of each, at most 200 characters.
    """
    found = await parts.dead_letters.oldest()
    wanted = [each for each in found if params.account in (None, each[0])]
    shown = wanted[: params.limit]
    texts = await _beginnings(parts, shown)
    letters = [_shown(key, row) | {"text": texts.get((key, row.key), "")} for key, row in shown]
    return {"letters": letters, "count": len(wanted)}


@method("deadletters.show", READ, LetterParams, ours=True)
async def deadletters_show(
    parts: GatewayParts, client: ConnectedClient, params: LetterParams
) -> Any:
    """Answer with a dead letter, its text and its sent parts."""
    key, found = await parts.dead_letters.require(params.id)
    return _shown(key, found.row) | _content(found)


@method("deadletters.retry", WRITE, LetterParams, ours=True)
async def deadletters_retry(
    parts: GatewayParts, client: ConnectedClient, params: LetterParams
) -> Any:
    """Send a dead letter, from its first part that was not sent. It waits for its account for a
    day. One that may have been sent may be sent twice.
    """
    key, row = await parts.dead_letters.retry(params.id)
    add_note(parts, client, key, "a message that was given up is sent after all")
    return {"ok": True, "outboxId": row.id}


@method("deadletters.discard", WRITE, LetterParams, ours=True)
async def deadletters_discard(
    parts: GatewayParts, client: ConnectedClient, params: LetterParams
) -> Any:
    """Discard a dead letter."""
    key, row = await parts.dead_letters.discard(params.id)
    add_note(parts, client, key, "a message that was given up was discarded")
    return {"ok": True, "outboxId": row.id}


async def _beginnings(
    parts: GatewayParts, letters: Sequence[tuple[str, OutgoingRow]]
) -> dict[tuple[str, str], str]:
    """Return the first characters of the messages' texts, by account and key."""
    journal = parts.intake.journal
    if journal is None or not letters:
        return {}
    return await journal.beginnings([(key, row.key) for key, row in letters], PREVIEW)


def _shown(key: str, row: OutgoingRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "account": key,
        "chat": row.chat,
        "state": row.state,
        "reason": row.reason,
        "error": row.error,
        "origin": row.origin,
        "at": row.at,
        "attempts": row.attempts,
        "idempotencyKey": row.key,
        "sent": msgspec.to_builtins(row.sent),
    }


def _content(found: OutgoingMessage) -> dict[str, Any]:
    return {
        "message": decode_json(found.message),
        "texts": decode_json(found.texts) if found.texts else [],
    }
