"""Sends, edits and deletes the messages of one app, and adds reactions.

Slack has no idempotency key for messages, so a message that may have arrived is not sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from workers.channels.slack.blocks import blocks_of
from workers.channels.slack.client import WebApi
from workers.channels.slack.emoji import emoji_name
from workers.channels.slack.mrkdwn import is_formatted, names_emoji
from workers.channels.slack.objects import (
    CompletedUpload,
    ConversationReply,
    Json,
    PostedMessage,
    SlackFile,
)
from workers.channels.slack.refusals import SlackRefusal, ends_account, failure_of, is_done
from workers.channels.slack.translation import is_ts, message_id, milliseconds, split_id
from workers.channels.slack.uploads import SlackUploads
from workers.errors import SendFailed
from workers.media.grouped_files import groups_of, send_groups
from workers.messages import Attachment, Outbound, Sent, id_in_chat
from workers.web.faults import NoAnswer, Unreachable

T = TypeVar("T")

MAX_FILES = 10  # in one message


class SlackDeliveries:
    """Sends the messages of one app; calls ``on_refused`` if Slack refuses the token."""

    def __init__(
        self,
        api: WebApi,
        uploads: SlackUploads,
        on_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._uploads = uploads
        self._on_refused = on_refused
        self._opened: dict[str, str] = {}  # direct conversations, by the person
        self._no_status: set[str] = set()  # chats that show no typing

    async def send(self, message: Outbound) -> Sent:
        """Send one message whose text is rendered and fits. Raises ``SendFailed``."""
        marked, text, thread = message.markup == "markdown", message.text, _thread_of(message)
        with_files = bool(message.attachments)
        # Where nothing can say that a text has no markup, blocks show it as it stands.
        literal = not marked and (is_formatted(text) if with_files else names_emoji(text))
        blocks: list[Json] | None = None
        if message.buttons or literal:
            blocks = blocks_of(text, message.buttons, marked=marked)
        if with_files:
            return await self._send_files(message, text, thread, blocks)
        params: Json = {"channel": message.to, "text": text, "mrkdwn": marked}
        params |= {"thread_ts": thread, "blocks": blocks}
        return _sent(await self.call("chat.postMessage", params, PostedMessage))

    async def _send_files(
        self, message: Outbound, text: str, thread: str | None, blocks: list[Json] | None
    ) -> Sent:
        """Send the files of a message, ten at a time; the text is sent with the first group."""
        channel = await self._channel(message.to)
        groups = groups_of(message.attachments, MAX_FILES)
        comment: Json = {"blocks": blocks} if blocks else {"initial_comment": text or None}
        params: Json = {"channel_id": channel, "thread_ts": thread}

        async def send(number: int, group: Sequence[Attachment]) -> SlackFile:
            return await self._send_group(group, params | ({} if number else comment))

        first = await send_groups(groups, send, "messages with files")
        ts = await self._uploads.message_of(first, channel)
        # Without its message the file is named: that is no message which can be edited.
        made_id = message_id(channel, ts) if ts else f"{channel}/{first.id}"
        return Sent(made_id, channel, milliseconds(ts), len(groups))

    async def _send_group(self, group: Sequence[Attachment], params: Json) -> SlackFile:
        """Upload files and send them; return the first. Raises ``SendFailed``."""
        try:
            files = await self._uploads.upload(group)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            failure = self._failure(error)
            if failure.maybe_sent:  # nothing is seen before the next call
                text = f"the files were not uploaded: {failure}"
                failure = SendFailed(text, reason="unavailable")
            raise failure from None
        done = await self.call(
            "files.completeUploadExternal", params | {"files": files}, CompletedUpload
        )
        return done.files[0] if done.files else SlackFile(str(files[0]["id"]))

    async def _channel(self, to: str) -> str:
        """Return the channel to send files to; open one for a person. Raises ``SendFailed``."""
        if not to.startswith(("U", "W")):
            return to
        if to not in self._opened:
            reply = await self.call("conversations.open", {"users": to}, ConversationReply)
            self._opened[to] = reply.channel.id
        return self._opened[to]

    async def edit(self, message: str, text: str, *, marked: bool) -> None:
        """Replace the text of a message; ``text`` is rendered, from Markdown where ``marked``."""
        params = _place_of(message) | {"text": text}
        if not marked and is_formatted(text):
            params["blocks"] = blocks_of(text, (), marked=False)
        await self.call("chat.update", params)

    async def delete(self, message: str) -> None:
        """Delete a message."""
        await self.call("chat.delete", _place_of(message))

    async def react(self, message: str, emoji: str | None, *, remove: bool) -> None:
        """Add or remove a reaction of the bot; repeating it is not an error."""
        name = emoji_name(emoji or "")
        if name is None:
            raise SendFailed(
                f"{emoji!r}: Slack wants the name of an emoji, like thumbsup", reason="invalid"
            )
        place = _place_of(message)
        params = {"channel": place["channel"], "timestamp": place["ts"], "name": name}
        try:
            await self._api.call("reactions.remove" if remove else "reactions.add", params)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            if not (isinstance(error, SlackRefusal) and is_done(error)):
                raise self._failure(error) from None

    async def typing(self, chat: str, thread: str | None, *, stop: bool) -> None:
        """Show the typing status in an assistant thread, if the chat supports it.

        Slack cannot show it in other chats; there this does nothing.
        """
        if not thread or chat in self._no_status:
            return
        status = "" if stop else "is typing…"
        params = {"channel_id": chat, "thread_ts": thread, "status": status}
        try:
            await self._api.call("assistant.threads.setStatus", params)
        except SlackRefusal as error:
            if error.retry_after is not None:
                raise self._failure(error) from None
            self._no_status.add(chat)
        except (Unreachable, NoAnswer) as error:
            raise self._failure(error) from None

    async def call(
        self,
        method: str,
        params: Json,
        result: type[T] = object,  # type: ignore[assignment]
    ) -> T:
        """Call a method. Raises ``SendFailed`` if it fails."""
        try:
            return await self._api.call(method, params, result=result)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> SendFailed:
        if ends_account(error):
            self._on_refused()
        return failure_of(error)


def _thread_of(message: Outbound) -> str | None:
    """Return the thread to reply in: the message's own, else that of the message it replies to."""
    if message.thread:
        if not is_ts(message.thread):
            raise SendFailed(
                f"{message.thread}: a thread of Slack is the ts of its first message",
                reason="invalid",
            )
        return message.thread
    replied = split_id(id_in_chat(message.reply_to, message.to))
    return replied[1] if replied else None


def _place_of(message: str) -> dict[str, Any]:
    found = split_id(message)
    if found is None:
        raise SendFailed(f"{message}: not the id of a message (<channel>/<ts>)", reason="invalid")
    return {"channel": found[0], "ts": found[1]}


def _sent(posted: PostedMessage, parts: int = 1) -> Sent:
    made = message_id(posted.channel, posted.ts)
    return Sent(made, posted.channel, milliseconds(posted.ts), parts)
