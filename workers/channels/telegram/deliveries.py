"""Sends, edits and deletes the messages of one bot, and adds reactions.

A call is repeated only if Telegram has answered that it was not carried out.
"""

from __future__ import annotations

import re

from workers.channels.telegram.client import BotApi, Upload
from workers.channels.telegram.objects import Json, TelegramChat, TelegramMessage
from workers.channels.telegram.refusals import ApiRefusal, failure_of, is_markup, is_unchanged
from workers.channels.telegram.translation import chat_of, message_id, split_id
from workers.errors import SendFailed
from workers.media.grouped_files import send_groups
from workers.messages import Attachment, Button, Chat, Outbound, Poll, Sent, id_in_chat
from workers.plugin import MediaFiles
from workers.web.faults import NoAnswer, Unreachable

UPLOAD_SECONDS = 120.0
MAX_BUTTON_BYTES = 64
MAX_PHOTO_BYTES = 10_000_000
PHOTOS = ("image/jpeg", "image/png", "image/webp")
_TAG = re.compile(r"<[^<>]*>")
_METHODS = {"image": "sendPhoto", "video": "sendVideo", "audio": "sendAudio"}
_FIELDS = {"sendPhoto": "photo", "sendVideo": "video", "sendAudio": "audio"}


class BotDeliveries:
    """Sends the messages of one bot; remembers groups that became supergroups with a new id."""

    def __init__(self, api: BotApi, media: MediaFiles) -> None:
        self._api = api
        self._media = media
        self._moved: dict[str, str] = {}

    async def send(self, message: Outbound, *, html: bool) -> Sent:
        """Send one message whose text fits; ``html``: it is rendered. Raises ``SendFailed``."""
        common = _common_of(message)
        if message.poll is not None:
            return _sent(await self._deliver("sendPoll", common | poll_of(message.poll), ""), 1)
        if not message.attachments:
            params = common | {"text": message.text}
            return _sent(await self._deliver("sendMessage", params, "text", html=html), 1)

        async def send(number: int, attachment: Attachment) -> TelegramMessage:
            params = common | ({"caption": message.text} if message.text and not number else {})
            return await self._send_file(params, attachment, html=html)

        first = await send_groups(message.attachments, send, "files")
        return _sent(first, len(message.attachments))

    async def _send_file(
        self, params: Json, attachment: Attachment, *, html: bool
    ) -> TelegramMessage:
        async with self._media.open(attachment.url) as file:
            method = method_for(file.type, file.size)
            field = _FIELDS.get(method, "document")
            named = attachment.name or file.name or "file"
            upload = Upload(field, named, file.type, file.binary)
            return await self._deliver(method, params, "caption", html=html, upload=upload)

    async def edit(self, message: str, text: str, *, html: bool) -> None:
        """Replace the text of a message; an unchanged text is not an error."""
        params = _place_of(message) | {"text": text}
        try:
            await self._try("editMessageText", params, "text", html=html)
        except ApiRefusal as error:
            if not is_unchanged(error):
                raise failure_of(error) from None

    async def delete(self, message: str) -> None:
        """Delete a message."""
        await self._call("deleteMessage", _place_of(message))

    async def react(self, message: str, emoji: str | None, *, remove: bool) -> None:
        """Set or remove the bot's reaction to a message."""
        reaction = [] if remove or not emoji else [{"type": "emoji", "emoji": emoji}]
        await self._call("setMessageReaction", _place_of(message) | {"reaction": reaction})

    async def typing(self, chat: str, thread: str | None = None) -> None:
        """Show for five seconds that the bot types."""
        params: Json = {"chat_id": chat, "action": "typing"}
        await self._call("sendChatAction", params | _thread(thread))

    async def chat(self, chat: str) -> Chat:
        """Return a chat with its name."""
        try:
            found = await self._api.call("getChat", {"chat_id": chat}, result=TelegramChat)
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            raise failure_of(error) from None
        return chat_of(found)

    async def _deliver(
        self,
        method: str,
        params: Json,
        field: str,
        *,
        html: bool = False,
        upload: Upload | None = None,
    ) -> TelegramMessage:
        """Call a method whose result is a message."""
        try:
            return await self._try(method, params, field, html=html, upload=upload)
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            raise failure_of(error) from None

    async def _try(
        self, method: str, params: Json, field: str, *, html: bool, upload: Upload | None = None
    ) -> TelegramMessage:
        """Call a method; if Telegram refuses the markup, call it again without."""
        marked = params | ({"parse_mode": "HTML"} if html and params.get(field) else {})
        try:
            return await self._call_moved(method, marked, upload)
        except ApiRefusal as error:
            if "parse_mode" not in marked or not is_markup(error):
                raise
        plain = params | {field: plain_of(params[field])}
        return await self._call_moved(method, plain, upload)

    async def _call_moved(
        self, method: str, params: Json, upload: Upload | None
    ) -> TelegramMessage:
        """Call a method for a chat, or for the supergroup that it has become."""
        chat = self._moved.get(str(params["chat_id"]), str(params["chat_id"]))
        try:
            return await self._api_call(method, params | {"chat_id": chat}, upload)
        except ApiRefusal as error:
            new = error.parameters.migrate_to_chat_id
            if new is None:
                raise
            self._moved[chat] = str(new)
        return await self._api_call(method, params | {"chat_id": str(new)}, upload)

    async def _api_call(self, method: str, params: Json, upload: Upload | None) -> TelegramMessage:
        seconds = UPLOAD_SECONDS if upload else 30.0
        return await self._api.call(
            method, params, result=TelegramMessage, seconds=seconds, upload=upload
        )

    async def _call(self, method: str, params: Json) -> None:
        try:
            await self._api.call(method, params)
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            raise failure_of(error) from None


def plain_of(html: str) -> str:
    """Return the plain text of a text rendered by the dialect ``telegram-html``."""
    text = _TAG.sub("", html).replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&quot;", '"').replace("&amp;", "&")


def method_for(type: str, size: int) -> str:
    """Return the method that sends a file of this type; ``sendDocument`` for one it cannot show."""
    kind = type.partition("/")[0]
    if kind == "image" and (type not in PHOTOS or size > MAX_PHOTO_BYTES):
        return "sendDocument"
    return _METHODS.get(kind, "sendDocument")


def _common_of(message: Outbound) -> Json:
    params: Json = {"chat_id": message.to} | _thread(message.thread)
    if replied := split_id(id_in_chat(message.reply_to, message.to)):
        params["reply_parameters"] = {
            "message_id": replied[1],
            "allow_sending_without_reply": True,
        }
    if message.silent:
        params["disable_notification"] = True
    if message.buttons:
        rows = [[_button(each) for each in row] for row in message.buttons]
        params["reply_markup"] = {"inline_keyboard": rows}
    return params


def poll_of(poll: Poll) -> Json:
    """Return the parameters of a poll, which is not anonymous."""
    params: Json = {
        "question": poll.question,
        "options": [{"text": option} for option in poll.options],
        "is_anonymous": False,
        "allows_multiple_answers": poll.multiple,
    }
    return params | ({"open_period": poll.seconds} if poll.seconds else {})


def _button(button: Button) -> Json:
    if button.url:
        return {"text": button.text, "url": button.url}
    data = button.data if button.data is not None else button.text
    if len(data.encode()) > MAX_BUTTON_BYTES:
        raise SendFailed(
            f"the data of button {button.text!r} has more than {MAX_BUTTON_BYTES} bytes",
            reason="invalid",
        )
    return {"text": button.text, "callback_data": data}


def _thread(thread: str | None) -> Json:
    if not thread:
        return {}
    if not thread.isdecimal():
        raise SendFailed(f"{thread}: not a thread (the number of a topic)", reason="invalid")
    return {"message_thread_id": int(thread)}


def _place_of(message: str) -> Json:
    found = split_id(message)
    if found is None:
        raise SendFailed(f"{message}: not the id of a message (<chat>/<number>)", reason="invalid")
    return {"chat_id": found[0], "message_id": found[1]}


def _sent(message: TelegramMessage, parts: int) -> Sent:
    chat = str(message.chat.id)
    return Sent(message_id(chat, message.message_id), chat, message.date * 1000, parts)
