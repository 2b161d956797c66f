"""Runs a ``telegram`` account: one bot, which polls for updates and sends by the Bot API."""

from __future__ import annotations

import aiohttp

from ipc.epoch import now_ms
from workers.channels.telegram.client import BotApi
from workers.channels.telegram.config import TelegramConfig, bot_id
from workers.channels.telegram.deliveries import BotDeliveries
from workers.channels.telegram.objects import User
from workers.channels.telegram.polling import Poller
from workers.channels.telegram.refusals import ApiRefusal, ending_of
from workers.errors import Misconfigured, SendFailed
from workers.messages import Action, Chat, Outbound, Sent, id_in_chat
from workers.plugin import Context
from workers.web.faults import NoAnswer, Unreachable


class Telegram:
    """The plugin of one bot."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: TelegramConfig = ctx.config
        self._api: BotApi | None = None
        self._deliveries: BotDeliveries | None = None

    async def run(self) -> None:
        """Poll until cancelled. Raises ``NeedsLogin`` when the token is refused."""
        if bot_id(self.config.bot_token) is None:
            raise Misconfigured(
                "botToken is not a bot token: @BotFather gives one like 123456:ABC-DEF", final=True
            )
        api = BotApi(self.ctx.http, self.config.api_root, self.config.bot_token)
        me = await self._login(api)
        self._api, self._deliveries = api, BotDeliveries(api, self.ctx.media)
        self.ctx.identity(str(me.id))
        now = now_ms()
        self.ctx.status(
            connected=True,
            detail=f"@{me.username}",
            authenticated_at=now,
            last_connected_at=now,
            last_transport_activity_at=now,
        )
        self.ctx.ready()
        await Poller(self.ctx, api, me, self.config.poll_seconds).run()

    async def send(self, message: Outbound) -> Sent:
        """Send one message, whose text fits and is rendered where it was Markdown."""
        return await self._out().send(message, html=message.markup == "markdown")

    async def edit(self, action: Action) -> None:
        """Replace the text of a message."""
        await self._out().edit(
            id_in_chat(action.message, action.chat), action.text, html=action.markup == "markdown"
        )

    async def delete(self, action: Action) -> None:
        """Delete a message."""
        await self._out().delete(id_in_chat(action.message, action.chat))

    async def react(self, action: Action) -> None:
        """Set or remove the bot's reaction to a message."""
        await self._out().react(
            id_in_chat(action.message, action.chat), action.emoji, remove=action.remove
        )

    async def typing(self, action: Action) -> None:
        """Show for five seconds that the bot types; Telegram has no way to end that early."""
        if not action.remove:
            await self._out().typing(action.chat or "", action.thread)

    async def chat(self, action: Action) -> Chat:
        """Return a chat with its name."""
        return await self._out().chat(action.chat or "")

    async def probe(self) -> dict[str, object]:
        """Ask Telegram who the bot is."""
        if self._api is None:
            return {"ok": False, "error": "not connected"}
        me = await self._login(self._api)
        return {"ok": True, "bot": {"id": str(me.id), "username": me.username, "name": me.name}}

    @staticmethod
    async def check_login(config: TelegramConfig, http: aiohttp.ClientSession) -> str:
        """Ask Telegram who the bot of a token is. Raises ``NeedsLogin`` or ``Transient``."""
        api = BotApi(http, config.api_root, config.bot_token)
        try:
            me = await api.call("getMe", result=User)
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            raise ending_of(error) from error
        return f"@{me.username} ({me.name})"

    @staticmethod
    def is_group(chat: str) -> bool:
        """Return whether the rate limit of groups applies to this chat."""
        return chat.startswith("-")

    def _out(self) -> BotDeliveries:
        if self._deliveries is None:
            raise SendFailed("the bot is not logged in yet", reason="unavailable")
        return self._deliveries

    async def _login(self, api: BotApi) -> User:
        try:
            return await api.call("getMe", result=User)
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            raise ending_of(error) from None
