"""Runs a ``discord`` account: one bot, which receives from the gateway and sends by the API."""

from __future__ import annotations

import aiohttp
import msgspec

from ipc.epoch import now_ms
from workers.channels.discord.client import DiscordApi
from workers.channels.discord.config import DiscordConfig, bot_id
from workers.channels.discord.connecting import GatewayLoop
from workers.channels.discord.deliveries import DiscordDeliveries
from workers.channels.discord.downloads import AttachedFiles
from workers.channels.discord.objects import DiscordUser
from workers.channels.discord.receiving import EventReceiver
from workers.channels.discord.refusals import API_FAILURES, PORTAL, ending_of
from workers.channels.discord.session import BotSession, cursor_of
from workers.channels.discord.translation import inbound_of
from workers.errors import Misconfigured, SendFailed
from workers.messages import Action, Chat, Inbound, Outbound, Sent, id_in_chat
from workers.plugin import Context

HISTORY = 50  # messages, where the request does not say how many


class Discord:
    """The plugin of one bot."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: DiscordConfig = ctx.config
        self._me = ""
        self._api: DiscordApi | None = None
        self._deliveries: DiscordDeliveries | None = None
        self._receiver: EventReceiver | None = None

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises ``NeedsLogin`` if the token is refused, ``Misconfigured`` if an intent is.
        """
        if bot_id(self.config.token) is None:
            raise Misconfigured(
                f"token is not a bot token: get one at {PORTAL}, page Bot, Reset Token",
                final=True,
            )
        api = DiscordApi(self.ctx.http, self.config.api_root, self.config.token)
        me = await _login(api)
        self.ctx.identity(me.id)
        self.ctx.status(detail=f"@{me.username}", authenticated_at=now_ms())
        cursor = cursor_of(self.ctx.cursor, self.config.api_root)
        session = BotSession(cursor)
        encrypted = self.config.api_root.startswith("https://")
        files = AttachedFiles(self.ctx.http, self.ctx.media, encrypted=encrypted)
        receiver = EventReceiver(self.ctx, api, files, me.id, session, cursor)
        self._me, self._api = me.id, api
        self._deliveries, self._receiver = DiscordDeliveries(api, self.ctx.media), receiver
        try:
            await GatewayLoop(self.ctx, api, self.config.token, session, receiver).run()
        finally:
            await receiver.close()

    async def send(self, message: Outbound) -> Sent:
        """Send one message, whose text is rendered and fits."""
        return await self._out().send(message)

    async def edit(self, action: Action) -> None:
        """Replace the text of one of the bot's messages."""
        await self._out().edit(id_in_chat(action.message, action.chat), action.text, action.markup)

    async def delete(self, action: Action) -> None:
        """Delete a message."""
        await self._out().delete(id_in_chat(action.message, action.chat))

    async def react(self, action: Action) -> None:
        """Add or remove a reaction of the bot."""
        await self._out().react(
            id_in_chat(action.message, action.chat), action.emoji, remove=action.remove
        )

    async def typing(self, action: Action) -> None:
        """Show for ten seconds that the bot types; Discord has no way to end that early."""
        if not action.remove:
            await self._out().typing(action.chat or "", action.thread)

    async def chat(self, action: Action) -> Chat:
        """Return a chat with its name."""
        out, receiver = self._out(), self._receiver
        assert receiver is not None
        found = await out.channel(action.chat or "")
        receiver.channels.set(found)
        return receiver.channels.place(found.id, found.guild_id)[0]

    async def history(self, action: Action) -> list[Inbound]:
        """Return earlier messages of a chat, the oldest first."""
        out, receiver = self._out(), self._receiver
        assert receiver is not None
        place = action.thread or action.chat or ""
        channel = receiver.channels.get(place)
        if channel is None:
            channel = await out.channel(place)
            receiver.channels.set(channel)
        before = id_in_chat(action.before, place)
        found = await out.history(place, before, action.limit or HISTORY)
        # Messages that are read do not name their server.
        placed = [msgspec.structs.replace(each, guild_id=channel.guild_id) for each in found]
        messages = [inbound_of(each, self._me, receiver.channels) for each in placed]
        return [each for each in messages if each is not None]

    async def probe(self) -> dict[str, object]:
        """Ask Discord who the bot is."""
        if self._api is None:
            return {"ok": False, "error": "not connected"}
        me = await _login(self._api)
        return {"ok": True, "bot": {"id": me.id, "username": me.username}}

    @staticmethod
    async def check_login(config: DiscordConfig, http: aiohttp.ClientSession) -> str:
        """Ask Discord who the bot of a token is. Raises ``NeedsLogin`` or ``Transient``."""
        api = DiscordApi(http, config.api_root, config.token)
        try:
            me = await api.call("GET /users/@me", result=DiscordUser)
        except API_FAILURES as error:
            raise ending_of(error) from error
        return f"@{me.username}"

    def _out(self) -> DiscordDeliveries:
        if self._deliveries is None:
            raise SendFailed("the bot is not logged in yet", reason="unavailable")
        return self._deliveries


async def _login(api: DiscordApi) -> DiscordUser:
    try:
        return await api.call("GET /users/@me", result=DiscordUser)
    except API_FAILURES as error:
        raise ending_of(error) from None
