"""Serves Discord's API for tests: any number of bots, each in one server, with faults.

After https://docs.discord.com/developers, with what a channel has to cope with: text is counted, a
nonce is taken once, requests are refused by number, sessions are resumed or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from ipc import timeouts
from ipc.nesting import decode_json
from workers.testing.fakes import discord_objects as made
from workers.testing.fakes.discord_bots import (
    FakeDiscordBot,
    RefusedRequest,
    RestFault,
    number_in,
    token_of,
)
from workers.testing.fakes.discord_gateway import FakeGateway
from workers.testing.fakes.discord_objects import Json
from workers.testing.http_fake import abort

TEXT_LIMIT = 2000  # in UTF-16 units, the strictest way to count


class FakeDiscord:
    """The server. ``root`` is its address, for ``apiRoot``; ``down`` closes every connection."""

    def __init__(self) -> None:
        self.root = ""
        self.messages: dict[str, list[Json]] = {}  # by channel
        self.files: dict[str, bytes] = {}  # by name
        self._bots: dict[str, FakeDiscordBot] = {}
        self._down = False
        self._turned_away = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self.gateway = FakeGateway(self._bot_of, self._changed)
        self.gateway.guilds_of = self._guilds
        self.gateway.me = made.bot_user

    @property
    def down(self) -> bool:
        """Whether the server answers nothing, and has cut what was connected."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down = self.gateway.down = down
        if down:
            self.gateway.cut()

    @property
    def turned_away(self) -> int:
        """How many requests and connections it has met while it was down."""
        return self._turned_away + self.gateway.turned_away

    @turned_away.setter
    def turned_away(self, count: int) -> None:
        self._turned_away, self.gateway.turned_away = count, 0

    def bot(self, token: str) -> FakeDiscordBot:
        """Return the bot of a token; raises ``ValueError`` where it is none."""
        found = self._bot_of(token)
        if found is None:
            raise ValueError(f"{token} is no token")
        return found

    def _bot_of(self, token: str) -> FakeDiscordBot | None:
        number = number_in(token)
        if number is None or token != token_of(number):
            return None
        return self._bots.setdefault(number, FakeDiscordBot(number))

    async def say(
        self, token: str, text: str = "", channel: str | None = None, **fields: Any
    ) -> Json:
        """Write to a bot as Ada, directly or in a channel of its server; return the message.

        ``fields`` are those of the API.
        """
        bot = self.bot(token)
        where = channel or bot.direct
        if not bot.is_direct(where):
            fields = {"guild_id": bot.guild, "member": {"nick": None, "roles": []}} | fields
        message = made.message(where, made.ADA, text, **fields)
        self.messages.setdefault(where, []).append(message)
        await self.gateway.dispatch([bot], "MESSAGE_CREATE", message)
        return message

    def attach(self, name: str, content: bytes) -> Json:
        """Serve a file; return it as it stands in a message."""
        self.files[name] = content
        url = f"{self.root}/files/{name}?ex=1"
        return {
            "id": made.new_id(),
            "filename": name,
            "url": url,
            "proxy_url": url,
            "size": len(content),
            "content_type": "text/plain",
        }

    async def serve_file(self, request: web.Request) -> web.StreamResponse:
        """Answer the request for a file; it needs no token."""
        if self.down:
            return abort(request)
        content = self.files.get(request.match_info["name"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    async def dispatch(self, token: str, name: str, data: Json) -> None:
        """Dispatch an event of any kind to a bot."""
        await self.gateway.dispatch([self.bot(token)], name, data)

    async def until(self, seen: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until ``seen()`` is true; looked at when something happens. ``TimeoutError``."""
        async with timeouts.timeout(seconds):
            while not seen():
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)

    def _changed(self) -> None:
        for each in self._waiters:
            if not each.done():
                each.set_result(None)

    def _guilds(self, number: str) -> list[Json]:
        bot = self._bots[number]
        text = [(bot.general, "general"), (bot.hidden, "hidden")]
        channels = [
            made.text_channel(each, bot.guild, name, self._last(each)) for each, name in text
        ]
        thread = made.thread(bot.thread, bot.guild, bot.general, "plans", self._last(bot.thread))
        return [made.guild(bot.guild, channels, [thread])]

    def _last(self, channel: str) -> str | None:
        found = self.messages.get(channel)
        return found[-1]["id"] if found else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if self.down:
            self._turned_away += 1
            return abort(request)
        path = f"/{request.match_info['path']}"
        try:
            bot = self._bot_of(request.headers.get("Authorization", "").removeprefix("Bot "))
            if path == "/gateway":
                return _json({"url": self.gateway.address})
            if (bot is None or bot.revoked) and not path.startswith("/interactions/"):
                raise RefusedRequest(401, 0, "401: Unauthorized")
            return await self._answer(request, bot, path)
        except RefusedRequest as refused:
            headers = dict(bot.limits) if bot is not None else {}
            if "retry_after" in refused.body:
                headers["Retry-After"] = str(refused.body["retry_after"])
                headers["Via"] = "1.1 google"  # without it, it is the address that is locked out
            return _json(refused.body, refused.status, headers)
        finally:
            self._changed()

    async def _answer(
        self, request: web.Request, bot: FakeDiscordBot | None, path: str
    ) -> web.StreamResponse:
        body = await _body_of(request)
        if bot is None:
            return web.Response(status=204)
        called = f"{request.method} {path}"
        bot.calls[called] += 1
        fault = bot.fault_for(called) or RestFault()
        if (answer := await fault.inject(request)) is not None:
            return answer
        result = await self._run(bot, request, path, body)
        if fault.drop == "after":
            return abort(request)
        if result is None:
            return web.Response(status=204, headers=bot.limits)
        return _json(result, headers=bot.limits)

    async def _run(
        self, bot: FakeDiscordBot, request: web.Request, path: str, body: Json
    ) -> Json | list[Json] | None:
        match request.method, path.strip("/").split("/"):
            case "GET", ["gateway", "bot"]:
                limit = {
                    "total": 1000,
                    "remaining": max(bot.remaining, 0),
                    "reset_after": 14_400_000,
                    "max_concurrency": 1,
                }
                return {"url": self.gateway.address, "shards": 1, "session_start_limit": limit}
            case "GET", ["users", "@me"]:
                return made.bot_user(bot.id)
            case "GET", [*_, "applications", "@me"]:
                return made.application(bot.id)
            case "POST", ["users", "@me", "channels"]:
                return made.direct_channel(bot.direct)
            case "GET", ["channels", channel]:
                return self._channel(bot, channel)
            case method, ["channels", channel, *rest]:
                self._channel(bot, channel)
                return await self._in_channel(bot, request, channel, (method, *rest), body)
            case "POST", ["interactions", *_]:
                bot.sent.append({"route": f"POST {path}", "made": False, **body})
                return None
        raise RefusedRequest(404, 0, "404: Not Found")

    async def _in_channel(
        self,
        bot: FakeDiscordBot,
        request: web.Request,
        channel: str,
        what: tuple[str, ...],
        body: Json,
    ) -> Json | list[Json] | None:
        match what:
            case "GET", "messages":
                return self._page(channel, request.query)
            case "POST", "messages":
                return await self._post(bot, channel, body)
            case "PATCH", "messages", number:
                message = self._message(channel, number)
                if message["author"]["id"] != bot.id:
                    raise RefusedRequest(403, 50005, "Cannot edit a message of another user")
                _check_text(body)
                message |= {"content": body["content"], "edited_timestamp": made.timestamp()}
                bot.sent.append({"route": " ".join(what), "made": False, **body})
                await self.gateway.dispatch([bot], "MESSAGE_UPDATE", message)
                return message
            case "DELETE", "messages", number:
                self.messages[channel].remove(self._message(channel, number))
            case _, "messages", number, "reactions", *_:
                self._message(channel, number)
            case "POST", "typing":
                pass
            case _:
                raise RefusedRequest(404, 0, "404: Not Found")
        bot.sent.append({"route": " ".join(what), "made": False, **body})
        return None

    def _channel(self, bot: FakeDiscordBot, channel: str) -> Json:
        last = self._last(channel)
        if channel == bot.hidden:
            raise RefusedRequest(403, 50001, "Missing Access")
        if bot.is_direct(channel):
            return made.direct_channel(channel, last)
        if channel == bot.general:
            return made.text_channel(channel, bot.guild, "general", last)
        if channel == bot.thread:
            return made.thread(channel, bot.guild, bot.general, "plans", last)
        raise RefusedRequest(404, 10003, "Unknown Channel")

    def _message(self, channel: str, number: str) -> Json:
        for each in self.messages.get(channel, []):
            if each["id"] == number:
                return each
        raise RefusedRequest(404, 10008, "Unknown Message")

    def _page(self, channel: str, query: Any) -> list[Json]:
        limit = int(query.get("limit", 50))
        after, before = int(query.get("after", 0)), int(query.get("before", 1 << 63))
        found = [each for each in self.messages.get(channel, []) if after < int(each["id"])]
        found = [each for each in found if int(each["id"]) < before]
        chosen = found[:limit] if "after" in query else found[-limit:]
        # What is read does not name its server.
        return [{k: v for k, v in each.items() if k != "guild_id"} for each in chosen[::-1]]

    async def _post(self, bot: FakeDiscordBot, channel: str, body: Json) -> Json:
        nonce = body.get("nonce")
        if nonce is not None and len(str(nonce)) > 25:
            raise RefusedRequest(400, 50035, "Invalid Form Body")
        if nonce is not None and body.get("enforce_nonce"):
            for each in self.messages.get(channel, []):
                if each["author"]["id"] == bot.id and each.get("nonce") == nonce:
                    return each
        _check_text(body)
        if not body.get("content") and not body.get("files") and not body.get("poll"):
            raise RefusedRequest(400, 50006, "Cannot send an empty message")
        text = body.get("content") or ""
        fields: Json = {} if nonce is None else {"nonce": nonce}
        if not bot.is_direct(channel):
            fields["guild_id"] = bot.guild
        message = made.message(
            channel, made.user(bot.id, f"fake{bot.id}", bot=True), text, **fields
        )
        self.messages.setdefault(channel, []).append(message)
        sent = {"content": "", **body, "route": "POST messages", "made": True}
        bot.sent.append(sent | {"id": message["id"], "channel": channel})
        await self.gateway.dispatch([bot], "MESSAGE_CREATE", message)
        return message


@asynccontextmanager
async def fake_discord(port: int = 0) -> AsyncIterator[FakeDiscord]:
    """Serve on this host; with ``port`` 0 on a free one."""
    fake = FakeDiscord()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_get("/gateway/", fake.gateway.handle)
    app.router.add_get("/gateway", fake.gateway.handle)
    app.router.add_get("/files/{name}", fake.serve_file)
    app.router.add_route("*", "/api/v10/{path:.*}", fake.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host = f"127.0.0.1:{runner.addresses[0][1]}"
        fake.root, fake.gateway.address = f"http://{host}", f"ws://{host}/gateway"
        yield fake
    finally:
        await fake.gateway.end()
        await runner.cleanup()


def _check_text(body: Json) -> None:
    text = str(body.get("content") or "")
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > TEXT_LIMIT:
        wrong = {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
        raise RefusedRequest(
            400, 50035, "Invalid Form Body", errors={"content": {"_errors": [wrong]}}
        )


async def _body_of(request: web.Request) -> Json:
    """Return the body of a request: of JSON, or of a form with files."""
    if request.content_type == "application/json":
        content = decode_json(await request.read() or b"{}")
        return dict(content) if isinstance(content, dict) else {}
    body: Json = {}
    if request.can_read_body and request.content_type == "multipart/form-data":
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                file = {"name": value.filename, "content": value.file.read()}
                body.setdefault("files", []).append(file)
            elif name == "payload_json":
                text = value if isinstance(value, str) else bytes(value)
                body |= decode_json(text)
    return body


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer whose type is exactly ``application/json``, as clients look for it."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers=headers,
    )
