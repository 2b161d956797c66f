"""Defines the objects of the Bot API as far as they are used. Pure.

After https://core.telegram.org/bots/api; fields that are not used are skipped by the decoder.
"""

from __future__ import annotations

from typing import Any

import msgspec


class TelegramObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base class of the Bot API's objects."""


class User(TelegramObject, frozen=True):
    """A person or a bot."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def name(self) -> str:
        """The name that people see."""
        return f"{self.first_name} {self.last_name}".strip() or self.username


class TelegramChat(TelegramObject, frozen=True):
    """A private chat, a group, a supergroup or a channel."""

    id: int
    type: str
    title: str = ""
    username: str = ""


class Entity(TelegramObject, frozen=True):
    """A range of a text, in UTF-16 units: a mention, a link, a command, …"""

    type: str
    offset: int
    length: int
    url: str = ""
    user: User | None = None


class File(TelegramObject, frozen=True):
    """A file that can be downloaded by its id."""

    file_id: str
    file_unique_id: str
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None


class RemoteFile(TelegramObject, frozen=True):
    """The path of a file at the server, valid for at least an hour."""

    file_id: str
    file_path: str = ""
    file_size: int | None = None


class Sticker(TelegramObject, frozen=True):
    """A sticker; ``emoji`` is what it stands for."""

    file_id: str
    file_unique_id: str
    emoji: str = ""


class Location(TelegramObject, frozen=True):
    """A point on the map."""

    latitude: float
    longitude: float


class Contact(TelegramObject, frozen=True):
    """A person's number that was shared."""

    phone_number: str
    first_name: str = ""
    last_name: str = ""


class TelegramMessage(TelegramObject, frozen=True, rename={"sender": "from"}):
    """A message; ``sender`` is ``from`` on the wire, absent in channels."""

    message_id: int
    date: int
    chat: TelegramChat
    sender: User | None = None
    sender_chat: TelegramChat | None = None
    edit_date: int | None = None
    message_thread_id: int | None = None
    is_topic_message: bool = False
    reply_to_message: TelegramMessage | None = None
    text: str = ""
    caption: str = ""
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    photo: list[File] = []
    document: File | None = None
    audio: File | None = None
    video: File | None = None
    voice: File | None = None
    video_note: File | None = None
    animation: File | None = None
    sticker: Sticker | None = None
    location: Location | None = None
    contact: Contact | None = None
    media_group_id: str | None = None


class Reaction(TelegramObject, frozen=True):
    """A reaction; ``emoji`` is empty for one that is no plain emoji."""

    type: str
    emoji: str = ""


class ReactionUpdate(TelegramObject, frozen=True):
    """The reactions of one person to a message, as they were and as they are."""

    chat: TelegramChat
    message_id: int
    date: int
    user: User | None = None
    old_reaction: list[Reaction] = []
    new_reaction: list[Reaction] = []


class CallbackQuery(TelegramObject, frozen=True, rename={"sender": "from"}):
    """A button that was pressed. ``message`` is absent when it is too old."""

    id: str
    sender: User
    data: str = ""
    message: TelegramMessage | None = None


class UpdateId(TelegramObject, frozen=True):
    """The id that every update has, including unknown kinds."""

    update_id: int


class Update(TelegramObject, frozen=True):
    """An update; exactly one of the fields is set."""

    update_id: int
    message: TelegramMessage | None = None
    edited_message: TelegramMessage | None = None
    channel_post: TelegramMessage | None = None
    edited_channel_post: TelegramMessage | None = None
    message_reaction: ReactionUpdate | None = None
    callback_query: CallbackQuery | None = None

    @property
    def any_message(self) -> TelegramMessage | None:
        """The message that is new or was edited."""
        new = self.message or self.channel_post
        return new or self.edited_message or self.edited_channel_post

    @property
    def edited(self) -> bool:
        """Whether the message is an edited one."""
        return self.edited_message is not None or self.edited_channel_post is not None


class WebhookInfo(TelegramObject, frozen=True):
    """The webhook that gets the updates; ``url`` is empty if they can be polled."""

    url: str = ""


class Parameters(TelegramObject, frozen=True):
    """The parameters of an error response."""

    migrate_to_chat_id: int | None = None
    retry_after: float | None = None


class ApiReply(TelegramObject, frozen=True):
    """The body of every response."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int = 0
    description: str = ""
    parameters: Parameters = Parameters()


Json = dict[str, Any]
ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "message_reaction",
    "callback_query",
]

# msgspec learns a type at its first use: here that is in the zygote, once for all workers.
for _type in (User, Update, TelegramMessage, WebhookInfo, RemoteFile):
    msgspec.json.Decoder(_type)
