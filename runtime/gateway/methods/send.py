"""Sends messages out through an account: ``send``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.accounts.account_calls import SENT
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import AccountCall, Repeat, method
from runtime.gateway.parts import GatewayParts
from workers.messages import MAX_TEXT, Attachment, Id, Outbound, Sent

SEND_SECONDS = 30.0
Url = Annotated[str, Meta(min_length=1)]

_encode = msgspec.json.Encoder().encode


class SendParams(Params):
    """The params of the OpenClaw schema; those without a meaning here are accepted and ignored."""

    to: Id
    idempotency_key: Id
    message: Annotated[str, Meta(max_length=MAX_TEXT)] = ""
    media_url: Url | None = None
    media_urls: list[Url] = []
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


def delivery(key: str, message: Outbound, then: Callable[[Sent], Any]) -> AccountCall:
    """Return the call by which the account ``key`` sends a message; ``then`` makes the result."""
    return AccountCall(key, "send", _encode(message), SEND_SECONDS, SENT, then)


@method("send", WRITE, SendParams, repeat=Repeat.WITH_KEY)
def send(parts: GatewayParts, client: ConnectedClient, params: SendParams) -> Any:
    """Send a message once per key: the worker remembers for 300 s what it has sent."""
    urls = params.media_urls or ([params.media_url] if params.media_url else [])
    files = [Attachment(url=url) for url in urls]
    if params.buffer:
        kind = params.content_type or "application/octet-stream"
        url = f"data:{kind};base64,{params.buffer}"
        files.append(Attachment(url=url, mime_type=params.content_type, name=params.filename))
    if not params.message and not files:
        raise RemoteError(INVALID_REQUEST, "invalid send params: text or media is required")
    accounts = parts.accounts
    channel = params.channel or accounts.only_channel()
    key = accounts.resolve("send", channel, params.account_id)
    message = Outbound(
        to=params.to,
        text=params.message,
        key=params.idempotency_key,
        thread=params.thread_id,
        reply_to=params.reply_to_id,
        attachments=files,
        silent=params.silent,
        markup=params.markup,
    )

    def result(sent: Sent) -> dict[str, Any]:
        return {
            "runId": params.idempotency_key,
            "messageId": sent.id,
            "channel": channel,
            "chatId": sent.chat,
        }

    return delivery(key, message, result)
