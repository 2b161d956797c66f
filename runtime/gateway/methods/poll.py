"""Sends questions with options to vote for: ``poll``."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any

from msgspec import Meta

from ipc.errors import RemoteError
from ipc.frames.requests import Params
from ipc.frames.words import INVALID_REQUEST
from runtime.gateway.access.scopes import WRITE
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import AccountCall, Repeat, method
from runtime.gateway.conversations.origins import chat_in
from runtime.gateway.methods.request_parts import Word
from runtime.gateway.methods.send import delivery
from runtime.gateway.parts import GatewayParts
from workers.messages import Id, Outbound, Poll, Sent

Option = Annotated[str, Meta(min_length=1)]


class PollParams(Params):
    """The params of ``poll``; ``is_anonymous`` is accepted and ignored: the platform decides."""

    to: Id
    question: Annotated[str, Meta(min_length=1, max_length=4096)]
    options: Annotated[list[Option], Meta(min_length=2, max_length=12)]
    idempotency_key: Id
    max_selections: Annotated[int, Meta(ge=1, le=12)] = 1
    duration_seconds: Annotated[int, Meta(ge=1, le=604_800)] | None = None
    duration_hours: Annotated[int, Meta(ge=1, le=168)] | None = None
    silent: bool = False
    is_anonymous: bool | None = None
    thread_id: Word | None = None
    channel: Word | None = None
    account_id: Word | None = None


@method("poll", WRITE, PollParams, repeat=Repeat.WITH_KEY)
def poll(
    parts: GatewayParts, client: ConnectedClient, params: PollParams
) -> AccountCall | Coroutine[Any, Any, Any]:
    """Send a poll to a chat, if the channel can; once per key, as `send`. More than one selection
    means any number of the options.
    """
    accounts = parts.accounts
    channel = params.channel or accounts.only_channel()
    key = accounts.resolve("poll", channel, params.account_id)
    if "poll" not in accounts.channels[channel].can.get("can", ()):
        raise RemoteError(INVALID_REQUEST, f"channel {channel} does not support poll")
    seconds = params.duration_seconds or (params.duration_hours or 0) * 3600 or None
    question = Poll(params.question, params.options, params.max_selections > 1, seconds)
    message = Outbound(
        chat_in(channel, params.to),
        "",
        params.idempotency_key,
        params.thread_id,
        poll=question,
        silent=params.silent,
    )

    def result(sent: Sent) -> dict[str, Any]:
        return {
            "runId": params.idempotency_key,
            "messageId": sent.id,
            "channel": channel,
            "chatId": sent.chat,
        }

    return delivery(parts, key, message, result)
