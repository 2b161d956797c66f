"""Turns the events of a session into messages, and emits each with the position after it.

The position is stored with each message, so the next process resumes the session after the last
stored message. While missed messages are still being read, no newer position is stored.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from ipc.epoch import now_ms
from ipc.nesting import MALFORMED, decode_json
from workers.channels.discord.channels import KnownChannels
from workers.channels.discord.client import DiscordApi
from workers.channels.discord.downloads import AttachedFiles
from workers.channels.discord.missed import (
    DIRECT_MESSAGES,
    MOST_CHANNELS,
    MOST_IN_CHANNEL,
    MOST_MESSAGES,
    MissedMessages,
)
from workers.channels.discord.objects import (
    EPOCH_MS,
    DeletedMessages,
    DiscordChannel,
    DiscordMessage,
    DiscordReady,
    Guild,
    Interaction,
    PollVote,
    ReactionChange,
    TypingStart,
    snowflake_at,
)
from workers.channels.discord.refusals import PORTAL, DiscordRefusal
from workers.channels.discord.session import MOST_DIRECT, BotSession, DiscordCursor
from workers.channels.discord.translation import (
    changed_chat,
    deleted_of,
    edit_of,
    inbound_of,
    lacks_content,
    pressed_of,
    reaction_of,
    typing_of,
    vote_of,
)
from workers.messages import Happened, Inbound
from workers.plugin import Context, Receipt
from workers.web.faults import NoAnswer, Unreachable

T = TypeVar("T")

MOST_SEEN = 1_000  # ids of messages, so that what is read again is handed on once
GUILD_SECONDS = 60.0  # after which a server that Discord does not tell of is not waited for
NO_CONTENT = (
    "a message came without its text: Discord gives it to bots with MESSAGE CONTENT INTENT only,"
    f" see {PORTAL}, page Bot"
)
NOT_ALL = (
    f"not all that was said meanwhile is read: {MOST_IN_CHANNEL} messages of a channel,"
    f" {MOST_CHANNELS} channels and {MOST_MESSAGES} messages at most"
)
_DEFERRED = 6  # the answer to a button: nothing is shown


class EventReceiver:
    """Emits the events of one bot, whose id is ``me``."""

    def __init__(
        self,
        ctx: Context,
        api: DiscordApi,
        files: AttachedFiles,
        me: str,
        session: BotSession,
        cursor: DiscordCursor,
    ) -> None:
        self.channels = KnownChannels()
        self._ctx = ctx
        self._api = api
        self._files = files
        self._me = me
        self._session = session
        self._last = cursor.last
        self._direct = OrderedDict.fromkeys(cursor.direct)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._missed: MissedMessages | None = None
        self._missed_until = 0.0
        self._marked = cursor.seq
        self._told_empty = False
        self._answers: set[asyncio.Task[None]] = set()

    async def on_event(self, name: str, data: msgspec.Raw) -> None:
        """Handle one event; log and skip one that cannot be parsed."""
        try:
            await self._dispatch(name, data)
        except MALFORMED as error:
            self._ctx.log.warning("an event is not understood", name=name, error=str(error))

    def on_alive(self) -> None:
        """Record that the connection works; store the position after events without messages."""
        self._ctx.status(last_transport_activity_at=now_ms())
        if self._session.seq != self._marked:
            self._mark()

    async def close(self) -> None:
        """Cancel the pending answers to buttons."""
        for each in self._answers:
            each.cancel()
        if self._answers:
            await asyncio.wait(self._answers)

    async def _dispatch(self, name: str, data: msgspec.Raw) -> None:
        match name:
            case "MESSAGE_CREATE":
                await self._on_message(decode_json(data, DiscordMessage))
            case "MESSAGE_UPDATE":
                await self._on_edit(decode_json(data, DiscordMessage))
            case "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                gone = decode_json(data, DeletedMessages)
                await self._ensure_known(gone.channel_id, gone.guild_id)
                await self._emit_new(*deleted_of(gone, self.channels, now_ms()))
            case "READY":
                await self._on_ready(decode_json(data, DiscordReady))
            case "GUILD_CREATE":
                await self._on_guild(decode_json(data, Guild))
            case "INTERACTION_CREATE":
                await self._on_interaction(decode_json(data, Interaction))
            case "TYPING_START":
                await self._emit_new(typing_of(decode_json(data, TypingStart), self.channels))
            case _ if name.startswith("MESSAGE_REACTION_"):
                await self._on_reaction(name, decode_json(data, ReactionChange))
            case _ if name.startswith("MESSAGE_POLL_VOTE_"):
                await self._on_vote(name, decode_json(data, PollVote))
            case _ if name.startswith(("CHANNEL_", "THREAD_")):
                await self._on_channel(name, data)

    async def _on_message(self, message: DiscordMessage) -> None:
        await self._ensure_known(message.channel_id, message.guild_id)
        if message.guild_id is None:
            self._add_direct(message.channel_id)
        self._last = max(self._last, int(message.id))
        if message.author is not None and message.author.id == self._me:
            return
        if lacks_content(message, self._me) and not self._told_empty:
            self._told_empty = True
            self._ctx.log.warning(NO_CONTENT)
            self._ctx.status(last_error=NO_CONTENT)
        await self._emit_message(inbound_of(message, self._me, self.channels))

    async def _on_edit(self, message: DiscordMessage) -> None:
        if message.author is None or message.author.id == self._me:
            return
        await self._ensure_known(message.channel_id, message.guild_id)
        await self._emit_message(edit_of(message, self._me, self.channels))

    async def _on_reaction(self, name: str, change: ReactionChange) -> None:
        if change.user_id == self._me:
            return
        await self._ensure_known(change.channel_id, change.guild_id)
        removed = name != "MESSAGE_REACTION_ADD"
        event = reaction_of(change, self.channels, now_ms(), self._event_id(), removed=removed)
        await self._emit_new(event)

    async def _on_vote(self, name: str, vote: PollVote) -> None:
        await self._ensure_known(vote.channel_id, vote.guild_id)
        removed = name == "MESSAGE_POLL_VOTE_REMOVE"
        event = vote_of(vote, self.channels, now_ms(), self._event_id(), removed=removed)
        await self._emit_new(event)

    async def _on_interaction(self, interaction: Interaction) -> None:
        """Emit that a button was pressed; answer it once that is stored."""
        if interaction.channel_id is not None:
            await self._ensure_known(interaction.channel_id, interaction.guild_id)
        event = pressed_of(interaction, self.channels)
        if event is None:
            return
        receipt = await self._emit_new(event)
        if receipt is not None:
            task = asyncio.create_task(self._answer(receipt, interaction))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, receipt: Receipt, interaction: Interaction) -> None:
        await receipt
        try:
            await self._api.call(
                "POST /interactions/{}/{}/callback",
                interaction.id,
                interaction.token,
                body={"type": _DEFERRED},
            )
        except (DiscordRefusal, Unreachable, NoAnswer) as error:
            self._ctx.log.debug("a button goes on to wait", error=str(error))

    async def _on_channel(self, name: str, data: msgspec.Raw) -> None:
        """Remember a channel or thread; emit that it is new, renamed or deleted."""
        if name not in _CHANGES:
            return
        channel = decode_json(data, DiscordChannel)
        gone = name.endswith("_DELETE")
        if channel.name is None and (known := self.channels.get(channel.id)) is not None:
            channel = known  # of a thread that is deleted only the numbers are told
        before = self.channels.set(channel)
        if channel.guild_id is None:
            return
        if gone or before is None or before.name != channel.name:
            chat, thread = self.channels.place(channel.id, channel.guild_id)
            if thread is not None:
                chat = msgspec.structs.replace(chat, id=thread, title=channel.name)
            await self._emit_new(changed_chat(chat, now_ms(), self._event_id(), removed=gone))
        if gone:
            self.channels.forget(channel.id)

    async def _on_ready(self, ready: DiscordReady) -> None:
        """Begin a new session; messages since the last one are read from the channels."""
        since = self._missed.since if self._missed is not None else self._last
        if not since:
            self._last = snowflake_at(max(now_ms() - 60_000, EPOCH_MS))
            self._mark()  # else a kill before the first message would leave no session to resume
            return
        guilds = {each.id for each in ready.guilds}
        self._missed = MissedMessages(self._api, since, guilds)
        self._missed_until = self._now_on_loop() + GUILD_SECONDS
        self._ctx.log.info("a new session: reading what was said since the last one")
        await self._catch_up(self._missed, list(self._direct), DIRECT_MESSAGES)

    async def _on_guild(self, guild: Guild) -> None:
        for each in guild.channels:
            self.channels.set(msgspec.structs.replace(each, guild_id=guild.id))
        for each in guild.threads:
            self.channels.set(msgspec.structs.replace(each, guild_id=guild.id))
        missed = self._missed
        if missed is None or guild.id not in missed.guilds or guild.unavailable:
            return
        await self._catch_up(missed, missed.channels_of(guild), guild.id)

    async def _catch_up(self, missed: MissedMessages, channels: Iterable[str], guild: str) -> None:
        missed.reading = True
        known_gaps = len(missed.gaps)
        for channel in channels:
            found = await missed.read(channel)
            for message in found.messages:
                # Messages that are read do not name their server.
                await self._on_message(msgspec.structs.replace(message, guild_id=guild or None))
        if new := missed.gaps[known_gaps:]:
            self._ctx.log.warning(NOT_ALL, chats=new[:10], more=max(len(new) - 10, 0))
            self._ctx.status(last_error=f"{NOT_ALL}, in {len(missed.gaps)} channels")
        missed.guilds.discard(guild)
        missed.reading = False
        self._mark()

    def _end_catching_up(self) -> None:
        """Store positions again once everything is read, or has been waited for long enough."""
        missed = self._missed
        if missed is None or missed.reading:
            return
        if missed.guilds:
            if self._now_on_loop() < self._missed_until:
                return
            servers = sorted(missed.guilds)[:10]
            text = "not told of in time: what was said there meanwhile is not read"
            self._ctx.log.warning(text, servers=servers)
            self._ctx.status(last_error=f"{len(missed.guilds)} servers were {text}")
        self._missed = None

    def _mark(self) -> None:
        """Store the position after the current event, unless missed messages are still unread."""
        if (cursor := self._cursor()) is not None:
            self._marked = self._session.seq
            self._ctx.mark(msgspec.to_builtins(cursor))

    async def _emit_message(self, message: Inbound | None) -> None:
        """Emit a message, once its files are stored."""
        if message is not None and message.id not in self._seen:
            await self._emit_new(await self._files.download(message))

    async def _emit_new(self, *what: Inbound | Happened) -> Receipt | None:
        """Emit what was not emitted before, with the position after it; return its receipt."""
        new = [each for each in what if self._is_new(each.id)]
        if not new:
            return None
        cursor = self._cursor()
        if cursor is None:
            return await self._ctx.emit(*new)
        self._marked = self._session.seq
        return await self._ctx.emit(*new, cursor=msgspec.to_builtins(cursor))

    def _is_new(self, id: str | None) -> bool:
        if id is None:
            return True
        if id in self._seen:
            return False
        self._seen[id] = None
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        return True

    def _cursor(self) -> DiscordCursor | None:
        """Return the position; ``None`` while it would skip messages that are still to be read."""
        self._end_catching_up()
        if self._missed is not None or not self._session.id:
            return None
        return self._session.cursor(self._last, self._direct)

    def _event_id(self) -> str:
        """Return an id for the current event, the same if Discord repeats the event."""
        return f"event/{self._session.id[:16]}/{self._session.seq}"

    def _add_direct(self, channel: str) -> None:
        self._direct[channel] = None
        self._direct.move_to_end(channel)
        while len(self._direct) > MOST_DIRECT:
            self._direct.popitem(last=False)

    async def _ensure_known(self, channel: str, guild: str | None) -> None:
        """Look up an unknown channel of a server, as after a restart: it may be a thread."""
        if guild is None or self.channels.get(channel) is not None:
            return
        try:
            found = await self._api.call("GET /channels/{}", channel, result=DiscordChannel)
        except DiscordRefusal as error:
            if error.status in (403, 404):
                self.channels.set(DiscordChannel(channel, guild_id=guild))
            return
        except (Unreachable, NoAnswer):
            return
        self.channels.set(found)
        if found.parent_id:
            await self._ensure_known(found.parent_id, guild)

    def _now_on_loop(self) -> float:
        return asyncio.get_running_loop().time()


_CHANGES = frozenset(
    f"{kind}_{what}" for kind in ("CHANNEL", "THREAD") for what in ("CREATE", "UPDATE", "DELETE")
)
