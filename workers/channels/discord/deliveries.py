"""Sends, edits and deletes the messages of one bot, and adds reactions."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack

from workers.channels.discord.client import DiscordApi, DiscordUpload
from workers.channels.discord.objects import (
    DiscordChannel,
    DiscordMessage,
    Json,
    snowflake_ms,
)
from workers.channels.discord.refusals import API_FAILURES, DiscordRefusal, failure_of
from workers.channels.discord.translation import message_id, split_id
from workers.errors import SendFailed
from workers.media.grouped_files import groups_of, send_groups
from workers.messages import Attachment, Button, Outbound, Poll, Sent, id_in_chat
from workers.plugin import MediaFiles

MAX_FILES = 10  # in one message
MAX_BUTTON_DATA = 100  # characters
MAX_BUTTON_TEXT = 80
MAX_ANSWERS, MAX_QUESTION, MAX_ANSWER = 10, 300, 55
NONCE_BYTES = 18  # 24 characters; 25 are taken
# Of markup, named people are told, and who is answered; never everybody in a server, nor all of a
# role. Plain text names nobody.
MENTIONS: dict[str, Json] = {
    "markdown": {"parse": ["users"], "replied_user": True},
    "plain": {"parse": [], "replied_user": True},
}
_BUTTONS, _BUTTON, _GREY, _LINK = 1, 2, 2, 5
_SILENT = 1 << 12
_CONTROL = re.compile(r'[\x00-\x1f\x7f"\\]')  # what the header of a form cannot hold


class DiscordDeliveries:
    """Sends the messages of one bot; remembers the direct-message channels of people."""

    def __init__(self, api: DiscordApi, media: MediaFiles) -> None:
        self._api = api
        self._media = media
        self._opened: dict[str, str] = {}

    async def send(self, message: Outbound) -> Sent:
        """Send one message whose text fits. Raises ``SendFailed``.

        Discord accepts a nonce once within some minutes, so a repeated message is sent once.
        """
        channel = await self._channel(message.to, message.thread)
        async with AsyncExitStack() as opened:
            uploads = [await self._upload(opened, each) for each in message.attachments]
            first, count = await self._send(channel, message, uploads)
        made_id = message_id(channel, first.id)
        chat = message.to if message.thread else channel
        return Sent(made_id, chat, snowflake_ms(first.id), count)

    async def _send(
        self, channel: str, message: Outbound, uploads: Sequence[DiscordUpload]
    ) -> tuple[DiscordMessage, int]:
        """Send the message, in several if its files need them; return the first and the number."""
        groups = groups_of(uploads, MAX_FILES) or [()]

        async def send(number: int, group: Sequence[DiscordUpload]) -> DiscordMessage:
            body = _body(message) if number == 0 else {}
            body |= {"nonce": nonce_of(message.key, number), "enforce_nonce": True}
            return await self._post(channel, body, group)

        return await send_groups(groups, send, "messages with files"), len(groups)

    async def _upload(self, opened: AsyncExitStack, attachment: Attachment) -> DiscordUpload:
        file = await opened.enter_async_context(self._media.open(attachment.url))
        name = _CONTROL.sub("_", attachment.name or file.name or "file")
        return DiscordUpload(name, file.type, file.binary)

    async def edit(self, message: str, text: str, markup: str) -> None:
        """Replace the text of one of the bot's messages; ``text`` is rendered."""
        body: Json = {"content": text, "allowed_mentions": MENTIONS[markup]}
        await self._call("PATCH /channels/{}/messages/{}", *_place_of(message), body=body)

    async def delete(self, message: str) -> None:
        """Delete a message."""
        await self._call("DELETE /channels/{}/messages/{}", *_place_of(message))

    async def react(self, message: str, emoji: str | None, *, remove: bool) -> None:
        """Add or remove a reaction of the bot; without an emoji remove all of its reactions."""
        if not emoji:
            raise SendFailed("an emoji is needed: a character, or name:number", reason="invalid")
        method = "DELETE" if remove else "PUT"
        route = f"{method} /channels/{{}}/messages/{{}}/reactions/{{}}/@me"
        await self._call(route, *_place_of(message), emoji.strip("<>").removeprefix(":"))

    async def typing(self, chat: str, thread: str | None = None) -> None:
        """Show for ten seconds that the bot types."""
        await self._call("POST /channels/{}/typing", await self._channel(chat, thread))

    async def channel(self, chat: str) -> DiscordChannel:
        """Return a channel with its name."""
        try:
            return await self._api.call("GET /channels/{}", _number(chat), result=DiscordChannel)
        except API_FAILURES as error:
            raise failure_of(error) from None

    async def history(self, channel: str, before: str | None, limit: int) -> list[DiscordMessage]:
        """Return the messages of a channel before a message, the oldest first."""
        found: list[DiscordMessage] = []
        until = _place_of(before)[1] if before else None
        while len(found) < limit:
            query: Json = {"limit": str(min(limit - len(found), 100))}
            query |= {"before": until} if until else {}
            try:
                page = await self._api.call(
                    "GET /channels/{}/messages",
                    _number(channel),
                    query=query,
                    result=list[DiscordMessage],
                )
            except API_FAILURES as error:
                raise failure_of(error) from None
            if not page:
                break
            found += page
            until = page[-1].id
        return found[::-1]

    async def _channel(self, chat: str, thread: str | None) -> str:
        """Return the channel to send to; ``user:<number>`` opens a direct message."""
        if thread:
            return _number(thread)
        kind, _, number = chat.rpartition(":")
        if kind != "user":
            return _number(chat)
        if number not in self._opened:
            try:
                found = await self._api.call(
                    "POST /users/@me/channels", body={"recipient_id": number}, result=DiscordChannel
                )
            except API_FAILURES as error:
                raise failure_of(error) from None
            self._opened[number] = found.id
        return self._opened[number]

    async def _post(
        self, channel: str, body: Json, uploads: Sequence[DiscordUpload]
    ) -> DiscordMessage:
        if uploads:
            names = [{"id": number, "filename": each.name} for number, each in enumerate(uploads)]
            body["attachments"] = names
        try:
            return await self._api.call(
                "POST /channels/{}/messages",
                channel,
                body=body,
                uploads=uploads,
                result=DiscordMessage,
            )
        except API_FAILURES as error:
            raise failure_of(error) from None

    async def _call(self, route: str, *parts: str, body: Json | None = None) -> None:
        try:
            await self._api.call(route, *parts, body=body)
        except API_FAILURES as error:
            if route.startswith("DELETE") and _is_gone(error):
                return
            raise failure_of(error) from None


def nonce_of(key: str, number: int = 0) -> str:
    """Return the nonce of the message with this key, the same in every process."""
    text = f"{key}#{number}" if number else key
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=NONCE_BYTES)
    return base64.urlsafe_b64encode(digest.digest()).decode()


def _body(message: Outbound) -> Json:
    body: Json = {"allowed_mentions": MENTIONS[message.markup]}
    if message.text:
        body["content"] = message.text
    if replied := split_id(id_in_chat(message.reply_to, message.to)):
        body["message_reference"] = {
            "channel_id": replied[0],
            "message_id": replied[1],
            "fail_if_not_exists": False,
        }
    if message.silent:
        body["flags"] = _SILENT
    if message.buttons:
        rows = [[_button(each) for each in row] for row in message.buttons]
        body["components"] = [{"type": _BUTTONS, "components": row} for row in rows]
    if message.poll is not None:
        body["poll"] = poll_of(message.poll)
    return body


def poll_of(poll: Poll) -> Json:
    """Return a poll in Discord's format, open for whole hours. Raises ``SendFailed``."""
    long = [each for each in poll.options if len(each) > MAX_ANSWER]
    if len(poll.options) > MAX_ANSWERS or long or len(poll.question) > MAX_QUESTION:
        raise SendFailed(
            f"a poll has {MAX_ANSWERS} options of {MAX_ANSWER} characters at most, and a question"
            f" of {MAX_QUESTION}",
            reason="invalid",
        )
    hours = -(-poll.seconds // 3600) if poll.seconds else 24
    return {
        "question": {"text": poll.question},
        "answers": [{"poll_media": {"text": each}} for each in poll.options],
        "duration": hours,
        "allow_multiselect": poll.multiple,
    }


def _button(button: Button) -> Json:
    made: Json = {"type": _BUTTON, "label": button.text}
    if len(button.text) > MAX_BUTTON_TEXT:
        text = f"the text of button {button.text!r} has more than {MAX_BUTTON_TEXT} characters"
        raise SendFailed(text, reason="invalid")
    if button.url:
        return made | {"style": _LINK, "url": button.url}
    data = button.data if button.data is not None else button.text
    if len(data) > MAX_BUTTON_DATA:
        text = f"the data of button {button.text!r} has more than {MAX_BUTTON_DATA} characters"
        raise SendFailed(text, reason="invalid")
    return made | {"style": _GREY, "custom_id": data}


def _place_of(message: str) -> tuple[str, str]:
    found = split_id(message)
    if found is None:
        raise SendFailed(
            f"{message}: not the id of a message (<channel>/<number>)", reason="invalid"
        )
    return found


def _number(chat: str) -> str:
    number = chat.removeprefix("channel:")
    if not number.isdecimal():
        raise SendFailed(
            f"{chat}: not a chat (the number of a channel, or user:<number>)", reason="invalid"
        )
    return number


def _is_gone(error: Exception) -> bool:
    """Return whether a deletion failed only because the message is already gone."""
    return isinstance(error, DiscordRefusal) and error.code in (10008, 10014)
