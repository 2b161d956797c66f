"""Looks up chats, their members and earlier messages at Slack."""

from __future__ import annotations

from workers.channels.slack.deliveries import SlackDeliveries
from workers.channels.slack.objects import (
    BotIdentity,
    ConversationReply,
    Json,
    MembersPage,
    MessagesPage,
)
from workers.channels.slack.translation import conversation_chat, inbound_of, is_own, split_id
from workers.errors import SendFailed
from workers.messages import Chat, Inbound, Sender

PAGE = 200  # as many as Slack recommends to ask for at once
DEFAULT_LIMIT = 20


class SlackLookups:
    """Lookups of one app, whose bot is ``me``. All raise ``SendFailed``."""

    def __init__(self, deliveries: SlackDeliveries, me: BotIdentity) -> None:
        self._deliveries = deliveries
        self._me = me

    async def chat(self, chat: str) -> Chat:
        """Return a chat with its name."""
        found = await self._deliveries.call(
            "conversations.info", {"channel": chat}, ConversationReply
        )
        return conversation_chat(found.channel)

    async def members(self, chat: str, limit: int | None) -> list[Sender]:
        """Return the members of a chat, by their ids."""
        left, cursor, found = limit or PAGE, "", list[Sender]()
        while left > 0:
            params: Json = {"channel": chat, "limit": min(left, PAGE)}
            if cursor:
                params["cursor"] = cursor
            page = await self._deliveries.call("conversations.members", params, MembersPage)
            found += [Sender(each, verified=True) for each in page.members[:left]]
            left = (limit or PAGE) - len(found)
            cursor = page.response_metadata.next_cursor or ""
            if not cursor:
                break
        return found

    async def history(
        self, chat: str, thread: str | None, before: str | None, limit: int | None
    ) -> list[Inbound]:
        """Return earlier messages of a chat or thread, also the bot's own, the oldest first."""
        params: Json = {"channel": chat, "limit": min(limit or DEFAULT_LIMIT, PAGE)}
        if before:
            place = split_id(before)
            if place is None:
                raise SendFailed(
                    f"{before}: not the id of a message (<channel>/<ts>)", reason="invalid"
                )
            params |= {"latest": place[1], "inclusive": False}
        method = "conversations.replies" if thread else "conversations.history"
        if thread:
            params["ts"] = thread
        page = await self._deliveries.call(method, params, MessagesPage)
        said = sorted(page.messages, key=lambda each: each.ts)
        found = [inbound_of(chat, each, self._me) for each in said]
        return [
            _as_history(message, own=is_own(raw, self._me))
            for message, raw in zip(found, said, strict=True)
            if message is not None
        ]


def _as_history(message: Inbound, *, own: bool) -> Inbound:
    """Return an earlier message as history, which addresses nobody."""
    sender = message.sender
    return Inbound(
        id=message.id,
        chat=message.chat,
        sender=Sender(sender.id, sender.name, sender.bot or own, sender.verified),
        text=message.text,
        ts=message.ts,
        action=message.action,
        thread=message.thread,
        reply_to=message.reply_to,
        meta=message.meta | {"history": True},
        mentions=message.mentions,
    )
