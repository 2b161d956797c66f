"""Defines the objects of the Web API, the Events API and Socket Mode that are used. Pure.

After https://docs.slack.dev; fields that are not used are skipped by the decoder. Slack sends
``null`` for some fields that it otherwise leaves out, so most may be ``None``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.hidden_fields import hide_fields

Json = dict[str, Any]
NOTHING = msgspec.Raw(b"null")


class SlackObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """The base class of Slack's objects."""


class SlackReply(SlackObject, frozen=True):
    """The fields common to all Web API responses; ``needed`` is a scope that the token lacks."""

    ok: bool
    error: str | None = None
    needed: str | None = None
    provided: str | None = None


class BotIdentity(SlackObject, frozen=True):
    """The bot of a token, and its workspace: the answer of ``auth.test``."""

    team_id: str
    user_id: str
    user: str = ""
    team: str = ""
    bot_id: str | None = None
    url: str = ""


@hide_fields("url")
class OpenedConnection(SlackObject, frozen=True):
    """The URL for one Socket Mode connection, valid for half a minute."""

    url: str


class PostedMessage(SlackObject, frozen=True):
    """A message that was sent or changed."""

    channel: str
    ts: str


class SlackConversation(SlackObject, frozen=True):
    """A channel, a group, or a direct conversation."""

    id: str
    name: str | None = None
    is_im: bool = False
    user: str | None = None


class ConversationReply(SlackObject, frozen=True):
    """The answer of ``conversations.info``."""

    channel: SlackConversation


class UserProfile(SlackObject, frozen=True):
    """How a person wants to be called."""

    display_name: str | None = None
    real_name: str | None = None


class SlackUser(SlackObject, frozen=True):
    """A member of the workspace, a person or a bot."""

    id: str
    name: str | None = None
    real_name: str | None = None
    profile: UserProfile = UserProfile()

    @property
    def shown_name(self) -> str | None:
        """The name that Slack shows beside messages."""
        profile = self.profile
        named = profile.display_name or profile.real_name or self.real_name or self.name
        return named or None


class UserReply(SlackObject, frozen=True):
    """The answer of ``users.info``."""

    user: SlackUser


class NextPage(SlackObject, frozen=True):
    """The cursor of the next page; empty after the last."""

    next_cursor: str | None = None


class MembersPage(SlackObject, frozen=True):
    """The answer of ``conversations.members``."""

    members: list[str] = []
    response_metadata: NextPage = NextPage()


class FileShare(SlackObject, frozen=True):
    """A message that shared a file."""

    ts: str


class ShareLists(SlackObject, frozen=True):
    """The messages that shared a file, by channel."""

    public: dict[str, list[FileShare]] = {}
    private: dict[str, list[FileShare]] = {}


class SlackFile(SlackObject, frozen=True):
    """A file of a message; its URLs need the bot's token."""

    id: str
    name: str | None = None
    mimetype: str | None = None
    size: int | None = None
    url_private: str | None = None
    url_private_download: str | None = None
    file_access: str | None = None
    shares: ShareLists | None = None

    def shared_in(self, channel: str) -> str | None:
        """Return the ``ts`` of the last message that shared the file in a channel."""
        shares = self.shares or ShareLists()
        found = [*shares.public.get(channel, ()), *shares.private.get(channel, ())]
        return max((each.ts for each in found), default=None)


class EditMark(SlackObject, frozen=True):
    """By whom and when a message was edited."""

    ts: str
    user: str | None = None


class BotProfile(SlackObject, frozen=True):
    """The bot that has written a message."""

    name: str | None = None


class SlackMessage(SlackObject, frozen=True):
    """A message, as part of an event or of a history."""

    ts: str = ""
    user: str | None = None
    bot_id: str | None = None
    bot_profile: BotProfile | None = None
    username: str | None = None
    subtype: str | None = None
    text: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    edited: EditMark | None = None
    files: list[SlackFile] | None = None


class MessageNews(SlackMessage, frozen=True):
    """The events ``message`` and ``app_mention``: a message, or a change of one."""

    type: str = ""
    channel: str = ""
    event_ts: str | None = None
    deleted_ts: str | None = None
    message: SlackMessage | None = None
    previous_message: SlackMessage | None = None


class MessagesPage(SlackObject, frozen=True):
    """The answer of ``conversations.history`` and ``conversations.replies``."""

    messages: list[SlackMessage] = []


class ReactedItem(SlackObject, frozen=True):
    """The target of a reaction."""

    type: str = ""
    channel: str | None = None
    ts: str | None = None


class ReactionNews(SlackObject, frozen=True):
    """The events ``reaction_added`` and ``reaction_removed``."""

    type: str
    reaction: str
    item: ReactedItem
    user: str | None = None
    event_ts: str | None = None


class MemberNews(SlackObject, frozen=True):
    """The events ``member_joined_channel`` and ``member_left_channel``."""

    type: str
    user: str
    channel: str
    event_ts: str | None = None


class RenamedNews(SlackObject, frozen=True):
    """The events ``channel_rename`` and ``group_rename``."""

    type: str
    channel: SlackConversation
    event_ts: str | None = None


class AnyNews(SlackObject, frozen=True):
    """The fields common to all events, including unknown ones."""

    type: str


class EventPayload(SlackObject, frozen=True):
    """The payload of an Events API envelope."""

    type: str
    event: msgspec.Raw = NOTHING
    event_id: str | None = None


class SlackPerson(SlackObject, frozen=True):
    """Who has pressed a button."""

    id: str
    username: str | None = None
    name: str | None = None


class PressedButton(SlackObject, frozen=True):
    """One element of a message that was used."""

    action_ts: str = ""
    action_id: str | None = None
    value: str | None = None


class ButtonMessage(SlackObject, frozen=True):
    """The message that contains the element."""

    message_ts: str | None = None
    channel_id: str | None = None


class InteractionPayload(SlackObject, frozen=True):
    """The payload of an interaction envelope."""

    type: str
    user: SlackPerson | None = None
    container: ButtonMessage = ButtonMessage()
    actions: list[PressedButton] = []


class Envelope(SlackObject, frozen=True):
    """A frame of Socket Mode; one with an ``envelope_id`` must be acknowledged.

    ``retry_attempt`` counts how often Slack has sent the same before.
    """

    type: str
    envelope_id: str | None = None
    payload: msgspec.Raw = NOTHING
    reason: str | None = None
    retry_attempt: int | None = None


@hide_fields("upload_url")
class UploadPlace(SlackObject, frozen=True):
    """The upload URL of a new file: the response of ``files.getUploadURLExternal``."""

    upload_url: str
    file_id: str


class FileReply(SlackObject, frozen=True):
    """The answer of ``files.info``."""

    file: SlackFile


class CompletedUpload(SlackObject, frozen=True):
    """The answer of ``files.completeUploadExternal``."""

    files: list[SlackFile] = []


# msgspec learns a type at its first use: here that is in the zygote, once for all workers.
for _type in (
    SlackReply,
    BotIdentity,
    OpenedConnection,
    PostedMessage,
    Envelope,
    EventPayload,
    AnyNews,
    MessageNews,
    UserReply,
    ConversationReply,
    UploadPlace,
    CompletedUpload,
    FileReply,
):
    msgspec.json.Decoder(_type)
