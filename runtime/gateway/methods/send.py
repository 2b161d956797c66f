"""Sends messages out through an account: ``send``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

import msgspec
import structlog
from msgspec import Meta

from ipc.epoch import now_ms
from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.accounts.account_calls import SENT
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, AccountCall, Repeat, method
from runtime.gateway.conversations.history_views import MIRROR
from runtime.gateway.conversations.origins import chat_in
from runtime.gateway.conversations.session_keys import agent_of
from runtime.gateway.journal.conversations import TranscriptEntry
from runtime.gateway.methods.request_parts import MOST_FILES, file_named
from runtime.gateway.outbox.results import sent_of
from runtime.gateway.parts import GatewayParts
from workers.messages import MAX_TEXT, Attachment, Id, Outbound, Sent

SEND_SECONDS = 30.0
MAX_WAIT_MS = 7 * 86_400_000  # as long as its key is known
Url = Annotated[str, Meta(min_length=1)]

log = structlog.get_logger("gateway.sends")
_encode = msgspec.json.Encoder().encode


class SendParams(Params):
    """The params of the OpenClaw schema; those without a meaning here are accepted and ignored."""

    to: Id
    idempotency_key: Id
    message: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    media_url: Url | None = None
    media_urls: Annotated[list[Url], Meta(max_length=MOST_FILES)] = []
    channel: str | None = None
    account_id: str | None = None
    reply_to_id: str | None = None
    thread_id: str | None = None
    agent_id: str | None = None
    session_key: str | None = None
    gif_playback: bool = False
    force_document: bool = False
    silent: bool = False
    as_voice: bool = False
    parse_mode: str | None = None
    buffer: str | None = None  # base64; it becomes an attachment of its own
    filename: str | None = None
    content_type: str | None = None
    markup: Literal["plain", "markdown"] = "plain"  # ours: how ``message`` is written
    timeout_ms: Annotated[int, Meta(ge=1, le=MAX_WAIT_MS)] | None = None  # ours
    queue: bool = False  # ours: do not wait until it is sent


def delivery(
    parts: GatewayParts,
    key: str,
    message: Outbound,
    then: Callable[[Sent], Any],
    seconds: float | None = None,
    *,
    session: str | None = None,
) -> AccountCall | Coroutine[Any, Any, Any]:
    """Return the call or coroutine that sends a message by the account ``key``.

    With a journal that is by its outbox, else by a call to its worker. ``then`` makes the result.
    What was sent is added to the transcript of ``session``.
    """
    if not parts.intake.is_on(key):
        done = then if session is None else _mirroring(parts, session, message, then)
        return AccountCall(key, "send", _encode(message), SEND_SECONDS, SENT, done)

    async def send() -> Any:
        try:
            row = await parts.outbox.send(key, message, seconds)
            result = then(sent_of(key, row, now_ms()))
        except RemoteError as error:
            parts.stability.record_unsent(key, error)
            raise
        if session is not None:
            await mirror(parts, session, message)
        return result

    return send()


def _mirroring(
    parts: GatewayParts, session: str, message: Outbound, then: Callable[[Sent], Any]
) -> Callable[[Sent], Any]:
    def on_sent(sent: Sent) -> Any:
        parts.jobs.start(mirror(parts, session, message))
        return then(sent)

    return on_sent


async def mirror(parts: GatewayParts, session: str, message: Outbound) -> None:
    """Add what a client has sent into a chat to the transcript of its session, once by its key."""
    entry = TranscriptEntry(
        "assistant",
        message.text,
        at=now_ms(),
        run=message.key,
        model=MIRROR,
        attachments=message.attachments,
        chat=message.to,
    )
    try:
        await parts.asking.add_once(session, entry)
    except RemoteError as error:  # it was sent all the same
        log.warning("a sent message is missing in a transcript", session=session, error=str(error))


async def _queue(
    parts: GatewayParts, key: str, message: Outbound, seconds: float | None, session: str | None
) -> Any:
    """Answer once a message is stored; it is sent when its account can."""
    try:
        row = await parts.outbox.send(key, message, seconds, queue=True)
    except RemoteError as error:
        parts.stability.record_unsent(key, error)
        raise
    if session is not None:
        await mirror(parts, session, message)
    return {"runId": message.key, "status": "queued", "outboxId": row.id}


def mirrored_in(parts: GatewayParts, given: str | None) -> str | None:
    """Return the session to whose transcript a sent message is added, if one is named."""
    key = parts.asking.key_in(given) if given else None
    return key if key and agent_of(key) in parts.agents.listed.entries else None


def _files(params: SendParams) -> list[Attachment]:
    urls = params.media_urls or ([params.media_url] if params.media_url else [])
    files = [file_named(url) for url in urls]
    if params.buffer:
        kind = params.content_type or "application/octet-stream"
        url = f"data:{kind};base64,{params.buffer}"
        files.append(Attachment(url=url, mime_type=params.content_type, name=params.filename))
    return files


def _outbound(params: SendParams, channel: str, files: list[Attachment]) -> Outbound:
    return Outbound(
        to=chat_in(channel, params.to),
        text=params.message,
        key=params.idempotency_key,
        thread=params.thread_id,
        reply_to=params.reply_to_id,
        attachments=files,
        silent=params.silent,
        markup=params.markup,
    )


@method("send", WRITE, SendParams, repeat=Repeat.WITH_KEY, most_bytes=TEXT_BYTES)
def send(parts: GatewayParts, client: ConnectedClient, params: SendParams) -> Any:
    """Send a message once per key. With a journal (`docs/journal.md`) a key is known for seven
    days, over restarts of everything, and the message waits for an account that is starting for at
    most `timeoutMs` (30 s), after which it is not sent; with `queue` (ours) the answer is `{status:
    "queued", outboxId}` at once. Without a journal the worker knows keys for 300 s. With
    `sessionKey` the text is also added to that session's transcript (`ignored` names one of an
    unknown agent).
    """
    files = _files(params) if params.media_urls or params.media_url or params.buffer else []
    if not params.message and not files:
        raise RemoteError(INVALID_REQUEST, "invalid send params: text or media is required")
    accounts = parts.accounts
    channel = params.channel or accounts.only_channel()
    key = accounts.resolve("send", channel, params.account_id)
    session = mirrored_in(parts, params.session_key) if params.session_key else None
    message = _outbound(params, channel, files)

    def result(sent: Sent) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "runId": params.idempotency_key,
            "messageId": sent.id,
            "channel": channel,
            "chatId": sent.chat,
        }
        if params.session_key and session is None:
            answer["ignored"] = ["sessionKey"]
        return answer

    seconds = None if params.timeout_ms is None else params.timeout_ms / 1000
    if params.queue:
        if not parts.intake.is_on(key):
            text = f"{key} has no journal: without one nothing can be queued"
            raise RemoteError(INVALID_REQUEST, text)
        return _queue(parts, key, message, seconds, session)
    return delivery(parts, key, message, result, seconds, session=session)
