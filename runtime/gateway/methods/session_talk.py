"""Creates sessions, sends messages into them, subscribes clients to them: ``sessions.…``."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import READ, WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, Repeat, method
from runtime.gateway.conversations.catalogs import model_in
from runtime.gateway.conversations.session_keys import named_key
from runtime.gateway.journal.conversations import SessionFilter
from runtime.gateway.methods.chat import ChatSendParams, chat_send
from runtime.gateway.methods.request_parts import Files, Word
from runtime.gateway.methods.session_changes import changed_session
from runtime.gateway.methods.sessions import SessionKeyParams
from runtime.gateway.parts import GatewayParts
from runtime.gateway.runs.asking import changed
from workers.messages import MAX_TEXT, Id


class SessionsCreateParams(Params):
    """The params of ``sessions.create``; without a key the session has one of its own.

    The last three are accepted and ignored: a session here has no parent.
    """

    key: Word | None = None
    agent_id: Word | None = None
    label: Word | None = None
    model: Word | None = None
    message: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    parent_session_key: Word | None = None
    succeeds_parent: bool | None = None
    emit_command_hooks: bool | None = None


class SessionsSendParams(SessionKeyParams, kw_only=True):
    """The params of ``sessions.send``."""

    message: Annotated[str, Meta(max_length=MAX_TEXT)]
    idempotency_key: Id | None = None
    thinking: Word | None = None
    attachments: Files = []
    timeout_ms: Annotated[int, Meta(ge=0, le=604_800_000)] | None = None


@method("sessions.create", WRITE, SessionsCreateParams, most_bytes=TEXT_BYTES)
async def sessions_create(
    parts: GatewayParts, client: ConnectedClient, params: SessionsCreateParams
) -> Any:
    """Create a session, or answer with the existing one under the key. `message` is sent to it,
    once, under a key of the session's own.
    """
    owner = parts.agents.named(params.agent_id)
    given = params.key or named_key(owner, "dashboard", str(uuid.uuid4()))
    key = parts.asking.answered_key(given, params.agent_id)
    journal = await parts.asking.journal()
    session = await journal.session(key)
    if session is None:
        if params.label and (await journal.sessions(SessionFilter(label=params.label), 1))[0]:
            raise RemoteError(INVALID_REQUEST, f"label already in use: {params.label}")
        conversation = await parts.asking.conversation(key)
        settings = {"model": model_in(params.model)} if params.model else {}
        session = changed(conversation.session, label=params.label or "", settings=settings)
        conversation.session = session
        await parts.asking.store_session(session)
        parts.broadcast.sessions.publish_change(session, reason="create")
    answer = {"ok": True, "sessionId": session.id, **changed_session(parts, session)}
    if not params.message:
        return answer | {"runStarted": False}
    said = ChatSendParams(session_key=key, message=params.message, idempotency_key=session.id)
    sent = await chat_send(parts, client, said)
    return answer | {"runStarted": sent.get("status") == "started"} | sent


@method("sessions.send", WRITE, SessionsSendParams, repeat=Repeat.WITH_KEY, most_bytes=TEXT_BYTES)
async def sessions_send(
    parts: GatewayParts, client: ConnectedClient, params: SessionsSendParams
) -> Any:
    """Send a message to an existing session, as `chat.send` does."""
    key = parts.asking.answered_key(params.key, params.agent_id)
    if await (await parts.asking.journal()).session(key) is None:
        raise RemoteError(INVALID_REQUEST, f"session not found: {params.key}")
    said = ChatSendParams(
        session_key=key,
        message=params.message,
        idempotency_key=params.idempotency_key or str(uuid.uuid4()),
        thinking=params.thinking,
        attachments=params.attachments,
        timeout_ms=params.timeout_ms,
    )
    return await chat_send(parts, client, said)


@method("sessions.subscribe", READ)
def sessions_subscribe(parts: GatewayParts, client: ConnectedClient, params: Params) -> Any:
    """Send this client `sessions.changed` and `session.message` of all sessions from now on."""
    parts.broadcast.sessions.subscribe(client)
    return {"subscribed": True}


@method("sessions.messages.subscribe", READ, SessionKeyParams)
def sessions_messages_subscribe(
    parts: GatewayParts, client: ConnectedClient, params: SessionKeyParams
) -> Any:
    """Send this client `session.message` of one session from now on."""
    key = parts.asking.key_in(params.key, params.agent_id)
    parts.broadcast.sessions.follow(client, key)
    return {"subscribed": True, "key": key}


@method("sessions.messages.unsubscribe", READ, SessionKeyParams)
def sessions_messages_unsubscribe(
    parts: GatewayParts, client: ConnectedClient, params: SessionKeyParams
) -> Any:
    """Stop sending this client `session.message` of one session."""
    key = parts.asking.key_in(params.key, params.agent_id)
    parts.broadcast.sessions.unfollow(client, key)
    return {"subscribed": False, "key": key}
