"""Runs a ``slack`` account: one app in one workspace, which receives by Socket Mode."""

from __future__ import annotations

import aiohttp

from ipc.epoch import now_ms
from workers.channels.slack.client import WebApi
from workers.channels.slack.config import SlackConfig, wrong_tokens
from workers.channels.slack.deliveries import SlackDeliveries
from workers.channels.slack.downloads import SlackDownloads
from workers.channels.slack.intake import EnvelopeIntake
from workers.channels.slack.listening import SocketModeListener
from workers.channels.slack.lookups import SlackLookups
from workers.channels.slack.names import SlackNames
from workers.channels.slack.objects import BotIdentity, OpenedConnection
from workers.channels.slack.refusals import SlackRefusal, ending_of, missing_scopes
from workers.channels.slack.uploads import SlackUploads
from workers.errors import Misconfigured, SendFailed
from workers.messages import Action, Chat, Inbound, Outbound, Sender, Sent, id_in_chat
from workers.plugin import Context
from workers.web.faults import NoAnswer, Unreachable

NEEDED_SCOPES = frozenset({"chat:write"})  # without them an account is of no use


class Slack:
    """The plugin of one app."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.config: SlackConfig = ctx.config
        self._api: WebApi | None = None
        self._deliveries: SlackDeliveries | None = None
        self._lookups: SlackLookups | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises ``NeedsLogin`` when a token is refused."""
        if wrong := wrong_tokens(self.config):
            raise Misconfigured(wrong, final=True)
        root, http = self.config.api_root, self.ctx.http
        bot = WebApi(http, root, self.config.bot_token)
        app = WebApi(http, root, self.config.app_token)
        me = await self._login(bot)
        if bot.scopes and (missing := sorted(NEEDED_SCOPES - bot.scopes)):
            raise Misconfigured(missing_scopes("botToken", missing))
        self.ctx.identity(f"{me.team_id}/{me.user_id}")
        detail = f"@{me.user} in {me.team}"
        self.ctx.status(detail=detail, authenticated_at=now_ms())
        downloads = SlackDownloads(http, bot, self.ctx.media, root)
        names = SlackNames(bot, self.ctx.log.warning)
        intake = EnvelopeIntake(self.ctx, me, downloads, names)
        listener = SocketModeListener(self.ctx, bot, app, intake)
        uploads = SlackUploads(http, bot, self.ctx.media)
        self._api = bot
        self._deliveries = SlackDeliveries(bot, uploads, listener.request_login_check)
        self._lookups = SlackLookups(self._deliveries, me)
        await listener.run()

    async def send(self, message: Outbound) -> Sent:
        """Send one message, whose text is rendered and fits."""
        return await self._out().send(message)

    async def edit(self, action: Action) -> None:
        """Replace the text of a message."""
        marked = action.markup == "markdown"
        await self._out().edit(id_in_chat(action.message, action.chat), action.text, marked=marked)

    async def delete(self, action: Action) -> None:
        """Delete a message."""
        await self._out().delete(id_in_chat(action.message, action.chat))

    async def react(self, action: Action) -> None:
        """Add or remove a reaction of the bot."""
        await self._out().react(
            id_in_chat(action.message, action.chat), action.emoji, remove=action.remove
        )

    async def typing(self, action: Action) -> None:
        """Show or clear the typing status in an assistant thread."""
        await self._out().typing(action.chat or "", action.thread, stop=action.remove)

    async def chat(self, action: Action) -> Chat:
        """Return a chat with its name."""
        return await self._questions().chat(action.chat or "")

    async def members(self, action: Action) -> list[Sender]:
        """Return the members of a chat."""
        return await self._questions().members(action.chat or "", action.limit)

    async def history(self, action: Action) -> list[Inbound]:
        """Return earlier messages of a chat or of a thread."""
        chat = action.chat or ""
        before = id_in_chat(action.before, chat)
        return await self._questions().history(chat, action.thread, before, action.limit)

    async def probe(self) -> dict[str, object]:
        """Ask Slack who the bot is."""
        if self._api is None:
            return {"ok": False, "error": "not connected"}
        me = await self._login(self._api)
        return {"ok": True, "bot": {"id": me.user_id, "username": me.user}, "team": me.team}

    @staticmethod
    async def check_login(config: SlackConfig, http: aiohttp.ClientSession) -> str:
        """Ask Slack about both tokens. Raises ``ChannelError`` with what it says."""
        if wrong := wrong_tokens(config):
            raise Misconfigured(wrong)
        field = "botToken"
        try:
            api = WebApi(http, config.api_root, config.bot_token)
            me = await api.call("auth.test", result=BotIdentity)
            field = "appToken"
            app = WebApi(http, config.api_root, config.app_token)
            await app.call("apps.connections.open", result=OpenedConnection)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            raise ending_of(error, field) from error
        return f"@{me.user} in {me.team}"

    @staticmethod
    def is_group(chat: str) -> bool:
        """Return whether a chat is not a direct conversation."""
        return not chat.startswith("D")

    def _out(self) -> SlackDeliveries:
        if self._deliveries is None:
            raise SendFailed("the app is not logged in yet", reason="unavailable")
        return self._deliveries

    def _questions(self) -> SlackLookups:
        self._out()
        assert self._lookups is not None
        return self._lookups

    async def _login(self, api: WebApi) -> BotIdentity:
        try:
            return await api.call("auth.test", result=BotIdentity)
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            raise ending_of(error) from None
