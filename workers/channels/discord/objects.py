"""Defines the objects of Discord's API as far as they are used. Pure.

After https://docs.discord.com/developers; fields that are not used are skipped by the decoder.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields

Json = dict[str, Any]

DIRECT = 1  # the type of a channel: a direct message; 3 is one of several people
THREADS = frozenset({10, 11, 12})
TALK = frozenset({0, 1, 2, 3, 5, 10, 11, 12, 13})  # types of channels in which people write

EPOCH_MS = 1_420_070_400_000  # where the times in Discord's numbers begin


class DiscordObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base class of Discord's objects."""


class DiscordUser(DiscordObject, frozen=True):
    """A person, a bot or a webhook."""

    id: str
    username: str = ""
    global_name: str | None = None
    bot: bool = False


class GuildMember(DiscordObject, frozen=True):
    """The nickname and the roles of a user in one server."""

    nick: str | None = None
    roles: list[str] = []


class DiscordFile(DiscordObject, frozen=True):
    """A file of a message. ``url`` is signed, and valid for a day."""

    id: str
    filename: str = ""
    url: str = ""
    content_type: str | None = None
    size: int | None = None


class DiscordSticker(DiscordObject, frozen=True):
    """A sticker, by its name."""

    id: str
    name: str = ""


class Reference(DiscordObject, frozen=True):
    """The message that another one answers (type 0) or forwards (type 1)."""

    type: int = 0
    message_id: str | None = None
    channel_id: str | None = None


class Replied(DiscordObject, frozen=True):
    """The needed fields of a message that was replied to."""

    id: str
    author: DiscordUser | None = None


class ForwardedContent(DiscordObject, frozen=True):
    """The content of a forwarded message."""

    content: str = ""
    attachments: list[DiscordFile] = []


class ForwardedMessage(DiscordObject, frozen=True):
    """A forwarded message."""

    message: ForwardedContent = ForwardedContent()


class DiscordMessage(DiscordObject, frozen=True):
    """A message; in an update some fields may be missing."""

    id: str
    channel_id: str
    author: DiscordUser | None = None
    guild_id: str | None = None
    member: GuildMember | None = None
    content: str = ""
    timestamp: str | None = None
    edited_timestamp: str | None = None
    type: int = 0
    mentions: list[DiscordUser] = []
    attachments: list[DiscordFile] = []
    sticker_items: list[DiscordSticker] = []
    message_reference: Reference | None = None
    referenced_message: Replied | None = None
    message_snapshots: list[ForwardedMessage] = []
    webhook_id: str | None = None
    embeds: list[msgspec.Raw] = []
    components: list[msgspec.Raw] = []
    poll: msgspec.Raw | None = None


class DiscordChannel(DiscordObject, frozen=True):
    """A channel of a server, a thread in one, or a direct message."""

    id: str
    type: int = 0
    guild_id: str | None = None
    name: str | None = None
    parent_id: str | None = None
    last_message_id: str | None = None
    recipients: list[DiscordUser] = []


class Guild(DiscordObject, frozen=True):
    """A server of people, with its channels and the threads that are active."""

    id: str
    unavailable: bool = False
    channels: list[DiscordChannel] = []
    threads: list[DiscordChannel] = []


class DiscordReady(DiscordObject, frozen=True):
    """The event READY, which begins a session."""

    session_id: str
    resume_gateway_url: str = ""
    guilds: list[Guild] = []


class DeletedMessages(DiscordObject, frozen=True):
    """One message that was deleted (``id``), or several (``ids``)."""

    channel_id: str
    guild_id: str | None = None
    id: str | None = None
    ids: list[str] = []


class DiscordEmoji(DiscordObject, frozen=True):
    """An emoji: the character, or the name and the number of a server's own one."""

    id: str | None = None
    name: str | None = None


class ReactionChange(DiscordObject, frozen=True):
    """A reaction that was added or removed; without ``emoji`` all were removed."""

    channel_id: str
    message_id: str
    guild_id: str | None = None
    user_id: str | None = None
    member: GuildMember | None = None
    emoji: DiscordEmoji | None = None


class PollVote(DiscordObject, frozen=True):
    """A vote for an answer of a poll, by its number."""

    channel_id: str
    message_id: str
    user_id: str
    answer_id: int
    guild_id: str | None = None


class TypingStart(DiscordObject, frozen=True):
    """A person begins to type."""

    channel_id: str
    user_id: str
    timestamp: int = 0  # seconds
    guild_id: str | None = None


class UsedComponent(DiscordObject, frozen=True):
    """The data of a component that was used."""

    custom_id: str = ""
    values: list[str] = []


class InteractingMember(DiscordObject, frozen=True):
    """The member of a server who used a component."""

    user: DiscordUser | None = None
    nick: str | None = None


@hide_fields("token")
class Interaction(DiscordObject, frozen=True):
    """The use of a component (type 3). ``token`` answers it, for some minutes."""

    id: str
    token: str
    type: int = 0
    channel_id: str | None = None
    guild_id: str | None = None
    user: DiscordUser | None = None
    member: InteractingMember | None = None
    message: DiscordMessage | None = None
    data: UsedComponent | None = None

    @property
    def who(self) -> DiscordUser | None:
        """The person who has used it."""
        return self.user or (self.member.user if self.member else None)


class StartLimit(DiscordObject, frozen=True):
    """How many sessions may still be begun, and the milliseconds until that is reset."""

    remaining: int = 1
    reset_after: int = 0


class SessionPlace(DiscordObject, frozen=True):
    """The gateway's address and its session limits."""

    url: str
    session_start_limit: StartLimit = StartLimit()


class GatewayFrame(DiscordObject, frozen=True):
    """One frame of the gateway."""

    op: int
    d: msgspec.Raw = msgspec.Raw(b"null")
    s: int | None = None
    t: str | None = None


class Hello(DiscordObject, frozen=True):
    """The first frame of a connection; milliseconds."""

    heartbeat_interval: float = 0.0


class ApiError(DiscordObject, frozen=True):
    """The body of an error response."""

    message: str = ""
    code: int = 0
    retry_after: float | None = None
    # ``global`` is a word of Python
    everywhere: bool = msgspec.field(default=False, name="global")


def snowflake_ms(number: str) -> int:
    """Return the time of a snowflake id in epoch milliseconds; 0 if it is not one."""
    return (int(number) >> 22) + EPOCH_MS if number.isdecimal() else 0


def snowflake_at(ms: int) -> int:
    """Return the smallest snowflake id of this time (epoch milliseconds)."""
    return max(ms - EPOCH_MS, 0) << 22


# msgspec learns a type at its first use: here that is in the zygote, once for all workers.
for _type in (
    DiscordUser,
    DiscordMessage,
    list[DiscordMessage],
    DiscordChannel,
    Guild,
    DiscordReady,
    DeletedMessages,
    ReactionChange,
    PollVote,
    TypingStart,
    Interaction,
    SessionPlace,
    GatewayFrame,
    Hello,
    ApiError,
):
    msgspec.json.Decoder(_type)
