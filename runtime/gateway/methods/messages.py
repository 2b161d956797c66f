"""Erases what is stored of a person: ``messages.forget``. Ours."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.access.scopes import ADMIN
from runtime.gateway.access_policy.pairing import forgotten
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.journal.interface import COPIES, FILE, Journal
from runtime.gateway.methods.asking import changes
from runtime.gateway.outbox.attachments import remove_files
from runtime.gateway.parts import GatewayParts
from workers.messages import Id

OPEN_SECONDS = 5.0  # until a new gateway has opened its journal


class ForgetParams(Params):
    """The params of ``messages.forget``: a sender's id at the platform, in one account or all."""

    sender: Id
    account: Annotated[str, Meta(min_length=1, max_length=129)] | None = None


@method("messages.forget", ADMIN, ForgetParams, ours=True)
@changes(lambda params, answer: "what was stored of a person was erased")
async def messages_forget(
    parts: GatewayParts, client: ConnectedClient, params: ForgetParams
) -> Any:
    """Erase a person from the journal. Erased are the person's messages, the direct chats, messages
    to be sent there, the transcripts of both with their runs, stored files and the approval.
    Answers in numbers; `underWay` counts sends that are left to end, and `copies` those of the
    journal that still contain everything. Ids by which messages and runs are recognized stay.
    """
    rows = parts.accounts.rows
    if params.account is not None and params.account not in rows:
        raise RemoteError(INVALID_REQUEST, f"{params.account} is not known")
    journal = await _open_journal(parts)
    keys = [params.account] if params.account else list(rows)
    people = await _forget_people(parts, keys, params.sender)
    chats = await journal.chats_of(params.sender, keys)
    given_up, under_way = parts.outbox.give_up(chats)
    parts.sessions.erase(params.sender, chats)
    state, removed = Path(parts.boot.state_dir), 0

    def remove(files: Mapping[str, Collection[str]]) -> None:
        nonlocal removed
        removed = sum(remove_files(state, key, ids) for key, ids in files.items())

    done = await journal.erase(params.sender, chats, remove)
    parts.sessions.erase(params.sender, chats)  # what was read or had ended meanwhile
    return {
        "messages": done.messages,
        "sends": done.sends,
        "runs": done.runs,
        "entries": done.entries,
        "sessions": done.sessions,
        "givenUp": given_up,
        "underWay": under_way,
        "files": removed,
        "people": people,
        "cleaned": done.cleaned,
        "copies": await asyncio.to_thread(_copies, state),
    }


async def _open_journal(parts: GatewayParts) -> Journal:
    """Return the journal; raises ``RemoteError`` if it cannot store that something is erased."""
    await parts.intake.wait_until_open(OPEN_SECONDS)
    journal = parts.intake.journal
    if journal is None or not journal.ready or journal.fault is not None:
        why = (journal and journal.fault) or "no account has a journal"
        raise RemoteError(UNAVAILABLE, f"nothing can be erased: {why}")
    return journal


async def _forget_people(parts: GatewayParts, keys: list[str], sender: str) -> int:
    """Remove the approval or request of a person; a blocked one stays blocked, without a name."""
    count = 0
    for key in keys:
        if parts.intake.is_on(key):
            await parts.gatekeeper.people_of(key)
            person = parts.gatekeeper.person(key, sender)
            if person is not None:
                nameless = msgspec.structs.replace(person, name="", chat="", code="")
                stays = person.state == "blocked"
                parts.gatekeeper.append_person(key, nameless if stays else forgotten(person))
                count += 1
    return count


def _copies(state: Path) -> int:
    """Return how many copies of the journal there are, and files that were set aside."""
    beside = [each for each in state.glob(f"{FILE}.*") if each.is_file()]
    return len([*(state / COPIES).glob("*.db*"), *beside])
