"""Makes runs of what clients ask: the session, where the answer goes, files, the key."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE, agent_key
from runtime.gateway.conversations.run_answers import digest_of
from runtime.gateway.conversations.session_keys import (
    BadSessionKey,
    agent_of,
    client_key,
    main_key,
    named_key,
)
from runtime.gateway.journal.conversations import Session, SessionChanged, SessionFilter
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.records import Outcome, Record
from runtime.gateway.journal.runs import ReplyTarget, Run, RunOrigin, RunRequest
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.sessions import OpenConversation
from workers.messages import Attachment

OPEN_SECONDS = 10.0  # in which a gateway that has just begun opens its journal
MAX_FILES_BYTES = 512 * 1024  # of all files of one request: they go to the agent with its turn
CONFLICT = (
    "This message ID was already used for different input. Check the conversation history and "
    "use a new message ID to send again."
)
SEND_POLICY = "sendPolicy"  # a session's setting: ``deny`` refuses deliveries
FOUND_SESSIONS = 50  # of a chat: it has one, or few where agents were chosen in it
Word = Annotated[str, Meta(max_length=512)]


class FileParams(msgspec.Struct, rename="camel"):
    """A file in a request: base64 in ``content``; other fields are accepted and ignored."""

    content: str = ""
    mime_type: str | None = None
    file_name: str | None = None


async def journal_of(parts: GatewayParts) -> Journal:
    """Return the open journal; raises ``RemoteError`` where runs cannot begin."""
    parts.intake.open()
    await parts.intake.opened(OPEN_SECONDS)
    journal = parts.intake.journal
    if journal is None or not journal.ready or not parts.runs.whole:
        raise RemoteError(UNAVAILABLE, "the gateway is starting", retryable=True)
    if journal.trouble is not None:
        text = f"nothing can be stored: {journal.trouble}"
        raise RemoteError(UNAVAILABLE, text, retryable=True)
    return journal


def default_agent(parts: GatewayParts) -> str:
    """Return the id of the agent that is meant where none is named."""
    return parts.agents.default_id


def key_in(parts: GatewayParts, given: str) -> str:
    """Return the session key that a client means; raises ``RemoteError``."""
    try:
        return client_key(given, default_agent(parts))
    except BadSessionKey as error:
        raise RemoteError(INVALID_REQUEST, str(error)) from None


def answered_key(parts: GatewayParts, given: str) -> str:
    """Return the session key that a client means, of an agent that there is."""
    key = key_in(parts, given)
    if agent_of(key) not in parts.agents.listed.entries:
        text = f'Agent "{agent_of(key)}" no longer exists in configuration'
        raise RemoteError(INVALID_REQUEST, text)
    return key


async def session_with_id(parts: GatewayParts, journal: Journal, id: str, agent: str) -> str:
    """Return the key of the session with an id, else the one that an unknown id stands for."""
    found, _ = await journal.sessions(SessionFilter(id=id), 1)
    if found:
        return found[0].key
    return answered_key(parts, named_key(agent, "explicit", id))


async def session_of_chat(
    parts: GatewayParts, journal: Journal, agent: str, target: ReplyTarget
) -> str:
    """Return the key of an agent's conversation in a chat: the one that is there, or a direct one.

    A chat in which nothing was said yet is taken for a direct one: its id does not show more.
    """
    found, _ = await journal.sessions(SessionFilter(agent=agent), FOUND_SESSIONS)
    where = (target.account, target.to, target.thread)
    for each in found:
        if (each.account, each.to, each.thread) == where:
            return each.key
    return parts.reception.direct_key(agent, target)


def target_of(
    parts: GatewayParts,
    method: str,
    channel: str | None,
    account: str | None,
    to: str | None,
    thread: str | None,
) -> ReplyTarget:
    """Return where an answer goes; raises ``RemoteError`` for what cannot be found."""
    accounts = parts.accounts
    channel = channel or accounts.only_channel()
    if channel not in accounts.channels:
        text = f"invalid {method} params: unknown channel: {channel[:128]}"
        raise RemoteError(INVALID_REQUEST, text)
    key = accounts.resolve(method, channel, account)
    if not to:
        text = f"Delivering to {accounts.label(key)} requires target <chatId>"
        raise RemoteError(INVALID_REQUEST, text)
    return ReplyTarget(key, to, thread)


def files_of(given: Sequence[FileParams]) -> list[Attachment]:
    """Return the files of a request; raises ``RemoteError`` for what is no base64, or too much."""
    size, files = 0, []
    for each in given:
        name = each.file_name or "file"
        text = each.content.partition(";base64,")[2] or each.content
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise RemoteError(
                INVALID_REQUEST, f"Error: attachment {name}: invalid base64 content"
            ) from None
        size += len(text)
        if size > MAX_FILES_BYTES:
            text = f"attachment {name}: all files together exceed {MAX_FILES_BYTES} bytes"
            raise RemoteError(INVALID_REQUEST, text)
        mime = each.mime_type or "application/octet-stream"
        url = f"data:{mime};base64,{text}"
        files.append(Attachment(url, mime, each.file_name, len(raw)))
    return files


def made_run(
    id: str,
    session: str,
    request: RunRequest,
    *,
    client: str,
    reply: ReplyTarget | None = None,
    mode: str = "followup",
    timeout_ms: int | None = None,
) -> Run:
    """Return the run of what a client asks; without ``timeout_ms`` it may take as configured."""
    now = now_ms()
    return Run(
        id=id,
        session=session,
        agent=agent_of(session),
        origin=RunOrigin(client=client),
        reply=reply,
        digest=digest_of(session, request.text, request.attachments),
        mode=mode,
        at=now,
        deadline=now + timeout_ms if timeout_ms else 0,
        request=request,
    )


async def known_run(parts: GatewayParts, journal: Journal, run: Run) -> Run | None:
    """Return the run that has the id of ``run`` already; raises ``RemoteError`` for another one."""
    live = parts.runs.live(run.id)
    known = live.run if live is not None else await journal.run_of(run.id)
    if known is not None and known.digest != run.digest:
        details = {"reason": "chat-request-conflict"}
        raise RemoteError(INVALID_REQUEST, CONFLICT, details=details)
    return known


async def begin(parts: GatewayParts, journal: Journal, run: Run) -> tuple[Run, bool]:
    """Begin a run, unless its id is known: return the run, and whether it was."""
    known = await known_run(parts, journal, run)
    if known is not None:
        return known, True
    key = agent_key(run.agent) if run.reply is None else run.reply.account
    found, was_known = await parts.runs.begin(key, run)
    if was_known and found.digest != run.digest:
        details = {"reason": "chat-request-conflict"}
        raise RemoteError(INVALID_REQUEST, CONFLICT, details=details)
    return found, was_known


async def conversation_of(parts: GatewayParts, key: str) -> OpenConversation:
    """Return the conversation under a key, a new one where there is none."""
    return await parts.sessions.opened(key, agent_of(key), now_ms())


async def store_session(parts: GatewayParts, journal: Journal, session: Session) -> None:
    """Store what a session is now; returns once that is done."""
    await stored(parts, journal, SessionChanged(agent_key(session.agent), session))


async def stored(parts: GatewayParts, journal: Journal, record: Record) -> Outcome:
    """Store a record; return what came of it."""
    done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    journal.append(record, done.set_result)
    parts.server.flush_soon()
    return await done


async def reset_session(
    parts: GatewayParts, journal: Journal, key: str, reason: str = "reset"
) -> Session:
    """End the runs of a session and begin it anew; return what it is then."""
    stop_runs(parts, key, reason)
    conversation = await conversation_of(parts, key)
    parts.sessions.begun_anew(conversation, now_ms())
    session = conversation.session
    await store_session(parts, journal, session)
    return session


def stop_runs(parts: GatewayParts, key: str, reason: str) -> list[str]:
    """End all runs of a session; return their ids."""
    for each in parts.runs.of_session(key):
        parts.broadcast.stops(each.run.id, reason)
    return parts.runs.abort_session(key)


def require_sending(session: Session) -> None:
    """Refuse to send an answer to a chat where the session is set so."""
    if session.settings.get(SEND_POLICY) == "deny":
        raise RemoteError(INVALID_REQUEST, "send blocked by session policy")


def changed(session: Session, **fields: Any) -> Session:
    """Return a session with some fields changed now."""
    return replace(session, updated=now_ms(), **fields)


def main_of(parts: GatewayParts, agent: str | None) -> str:
    """Return the main session of an agent, or of the default one."""
    return main_key(agent or default_agent(parts))
