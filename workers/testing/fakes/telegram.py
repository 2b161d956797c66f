"""Serves Telegram's Bot API for tests: any token, chats that a test writes in, and faults.

After https://core.telegram.org/bots/api, with what a channel has to cope with: an update stays
until
a later one is asked for, the second poll ends the first with 409, text is counted in UTF-16
units after its markup is read, and wrong markup is refused.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

from aiohttp import web

from ipc import timeouts
from ipc.nesting import decode_json
from workers.testing.fakes.call_faults import CallFault, next_fault
from workers.testing.fakes.telegram_text import WrongMarkup, shown_text, utf16_length
from workers.testing.http_fake import abort, answered_in_vain

Json = dict[str, Any]

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024  # UTF-16 units
MAX_DOWN = 20_000_000  # bytes of a file that a bot can fetch
POLL_SECONDS = 50.0  # the longest that a poll may wait
CONFLICT = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is"
    " running"
)
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]+\Z")
_FILES = {
    "sendphoto": "photo",
    "senddocument": "document",
    "sendvideo": "video",
    "sendaudio": "audio",
}


class RefusedCall(Exception):
    """The answer to a call that is not carried out."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.body: Json = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.body["parameters"] = parameters


@dataclass(slots=True)
class ApiFault(CallFault):
    """What goes wrong with calls of ``method`` ("" is any).

    ``code`` refuses, with ``retry_after`` or ``migrate_to`` as parameters. ``kills`` is a process
    that is killed once the call is carried out and answered, before it can act on that.
    """

    method: str = ""
    code: int = 0
    description: str = "made up by the test"
    retry_after: int | None = None
    migrate_to: int | None = None
    kills: int = 0

    def refusal(self) -> RefusedCall | None:
        """Return the refusal, if this fault is one."""
        if not self.code:
            return None
        known = {"retry_after": self.retry_after, "migrate_to_chat_id": self.migrate_to}
        parameters = {name: value for name, value in known.items() if value is not None}
        return RefusedCall(self.code, self.description, **parameters)


@dataclass(slots=True)
class FakeBot:
    """A bot: what waits for it, what it has sent, how often it has called each method.

    ``sent`` holds the parameters of what was carried out, with ``method``, and ``shown``: the
    text as people see it. ``confirmed`` is the last offset that was asked for.
    """

    token: str
    updates: list[Json] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    confirmed: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    faults: list[ApiFault] = field(default_factory=list)
    revoked: bool = False
    webhook: str = ""
    poll: object = None  # the poll that is under way

    @property
    def user(self) -> Json:
        """The bot as ``getMe`` returns it."""
        number = int(self.token.partition(":")[0])
        return {
            "id": number,
            "is_bot": True,
            "first_name": "Fake",
            "username": f"fake{number}_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }

    @property
    def texts(self) -> list[str]:
        """What people see, in the order in which it was sent."""
        return [each["shown"] for each in self.sent if each.get("shown")]

    def fault_for(self, method: str) -> ApiFault | None:
        """Return the fault that this call meets, and count it."""
        return next_fault(self.faults, lambda each: each.method.lower() in ("", method))


class FakeTelegram:
    """The server. ``root`` is its address, for ``apiRoot``; ``down`` closes every connection."""

    def __init__(self) -> None:
        self.root = ""
        self.down = False
        self.turned_away = 0  # calls that found it down
        self._bots: dict[str, FakeBot] = {}
        self._contents: dict[str, bytes] = {}
        self._changed = asyncio.Condition()
        self._update_ids = itertools.count(int(time.time()))
        self._message_ids = itertools.count(1)

    def bot(self, token: str) -> FakeBot:
        """Return the bot of a token; every token is one until it is revoked."""
        return self._bots.setdefault(token, FakeBot(token))

    def file(self, content: bytes, *, size: int | None = None, **fields: Any) -> Json:
        """Return a file as a message has it, which can be fetched; ``size`` is what is claimed."""
        number = f"file{len(self._contents)}"
        self._contents[number] = content
        claimed = {"file_size": len(content) if size is None else size}
        return {"file_id": number, "file_unique_id": number} | claimed | fields

    async def handle_file(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for the content of a file."""
        bot = self.bot(request.match_info["token"])
        fault = bot.fault_for("download") or ApiFault()
        bot.calls["download"] += 1
        await self._notify()
        await asyncio.sleep(fault.slow)
        content = self._contents.get(request.match_info["name"])
        if self.down or fault.drop:
            return abort(request)
        if content is None or fault.code:
            return web.json_response({"ok": False}, status=fault.code or 404)
        return web.Response(body=content)

    async def say(self, token: str, text: str = "", chat: int = 7, **fields: Any) -> Json:
        """Write to a bot as a person; return the message. A negative ``chat`` is a group.

        ``fields`` are those of the Bot API; with ``edit=N`` it is an edit of that message.
        """
        edited = fields.pop("edit", None)
        now = int(time.time())
        message: Json = {
            "message_id": edited or next(self._message_ids),
            "date": now,
            "chat": _chat(chat),
            "from": {"id": 7, "is_bot": False, "first_name": "Ada"},
        }
        message |= ({"text": text} if text else {}) | ({"edit_date": now} if edited else {})
        message |= fields
        await self.update(token, **{"edited_message" if edited else "message": message})
        return message

    async def update(self, token: str, **fields: Any) -> int:
        """Queue an update of any kind; return its number."""
        number = next(self._update_ids)
        self.bot(token).updates.append({"update_id": number, **fields})
        await self._notify()
        return number

    async def until(self, seen: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until ``seen()`` is true; looked at after every call. Raises ``TimeoutError``."""
        async with timeouts.timeout(seconds), self._changed:
            await self._changed.wait_for(seen)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        if self.down:
            self.turned_away += 1
            return abort(request)
        method, token = request.match_info["method"].lower(), request.match_info["token"]
        try:
            if not _TOKEN.match(token):
                raise RefusedCall(404, "Not Found")
            bot = self.bot(token)
            params = await _params_of(request)
            bot.calls[method] += 1
            return await self._answer(request, bot, method, params)
        except RefusedCall as refusal:
            return web.json_response(refusal.body, status=refusal.code)
        finally:
            await self._notify()

    async def _answer(
        self, request: web.Request, bot: FakeBot, method: str, params: Json
    ) -> web.StreamResponse:
        fault = bot.fault_for(method) or ApiFault()

        def refused() -> RefusedCall | None:
            return RefusedCall(401, "Unauthorized") if bot.revoked else None

        if (early := await fault.inject(request, refused)) is not None:
            return early
        result = await self._run(bot, method, params)
        if fault.drop == "after":
            return abort(request)
        answer = web.json_response({"ok": True, "result": result})
        return await answered_in_vain(request, answer, fault.kills) if fault.kills else answer

    async def _run(self, bot: FakeBot, method: str, params: Json) -> Any:
        if method == "getupdates":
            return await self._poll(bot, params)
        if method == "sendmessage" or method in _FILES:
            return self._send(bot, method, params)
        match method:
            case "getme":
                return bot.user
            case "getfile":
                return self._file_of(str(params["file_id"]))
            case "getwebhookinfo":
                waiting = len(bot.updates)
                return {
                    "url": bot.webhook,
                    "has_custom_certificate": False,
                    "pending_update_count": waiting,
                }
            case "setwebhook" | "deletewebhook":
                bot.webhook = str(params.get("url", ""))
                return True
            case "editmessagetext":
                return self._edit(bot, method, params)
            case "getchat":
                return _chat(int(params["chat_id"])) | {
                    "accent_color_id": 0,
                    "max_reaction_count": 1,
                }
            case "sendpoll":
                bot.sent.append({"method": method, **params})
                return self._message(bot, _chat(int(params["chat_id"])))
            case "deletemessage" | "setmessagereaction" | "sendchataction" | "answercallbackquery":
                bot.sent.append({"method": method, **params})
                return True
            case "setmycommands" | "logout" | "close":
                return True
        raise RefusedCall(404, "Not Found: method not found")

    async def _poll(self, bot: FakeBot, params: Json) -> list[Json]:
        """Wait for updates, and forget those before the offset."""
        if bot.webhook:
            raise RefusedCall(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use"
                " deleteWebhook to delete the webhook first",
            )
        offset = int(params.get("offset") or 0)
        mine = bot.poll = object()
        bot.confirmed = max(bot.confirmed, offset)
        bot.updates[:] = [each for each in bot.updates if each["update_id"] >= offset]
        await self._notify()  # the earlier poll ends
        wait = min(float(params.get("timeout") or 0), POLL_SECONDS)
        with suppress(TimeoutError):
            async with timeouts.timeout(wait), self._changed:
                await self._changed.wait_for(lambda: bot.updates or bot.poll is not mine)
        if bot.poll is not mine:
            raise RefusedCall(409, CONFLICT)
        return bot.updates[: int(params.get("limit") or 100)]

    def _send(self, bot: FakeBot, method: str, params: Json) -> Json:
        kind = _FILES.get(method)
        shown = _shown(params, "caption" if kind else "text", CAPTION_LIMIT if kind else TEXT_LIMIT)
        if not kind and not shown.strip():
            raise RefusedCall(400, "Bad Request: message text is empty")
        if kind and not params.get(kind):
            raise RefusedCall(400, f"Bad Request: there is no {kind} in the request")
        chat = _chat(int(params["chat_id"]))
        message = self._message(bot, chat) | {"caption" if kind else "text": shown}
        bot.sent.append({"method": method, "shown": shown, **params})
        bot.sent[-1]["message_id"] = message["message_id"]
        return message

    def _file_of(self, number: str) -> Json:
        content = self._contents.get(number)
        if content is None:
            raise RefusedCall(400, "Bad Request: invalid file_id")
        if len(content) > MAX_DOWN:
            raise RefusedCall(400, "Bad Request: file is too big")
        known = {"file_id": number, "file_unique_id": number, "file_size": len(content)}
        return known | {"file_path": f"documents/{number}"}

    def _edit(self, bot: FakeBot, method: str, params: Json) -> Json:
        shown = _shown(params, "text", TEXT_LIMIT)
        number = int(params["message_id"])
        before = [each for each in bot.sent if each.get("message_id") == number]
        if before and before[-1].get("shown") == shown:
            raise RefusedCall(400, "Bad Request: message is not modified")
        bot.sent.append({"method": method, "shown": shown, **params})
        chat = _chat(int(params["chat_id"]))
        return self._message(bot, chat) | {"message_id": number, "text": shown}

    def _message(self, bot: FakeBot, chat: Json) -> Json:
        return {
            "message_id": next(self._message_ids),
            "date": int(time.time()),
            "chat": chat,
            "from": {key: bot.user[key] for key in ("id", "is_bot", "first_name", "username")},
        }

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def fake_telegram(port: int = 0) -> AsyncIterator[FakeTelegram]:
    """Serve on this host; with ``port`` 0 on a free one."""
    fake = FakeTelegram()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/bot{token}/{method}", fake.handle)
    app.router.add_get("/file/bot{token}/documents/{name}", fake.handle_file)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        fake.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        await runner.cleanup()


def _chat(number: int) -> Json:
    if number < 0:
        return {"id": number, "type": "supergroup", "title": "Room"}
    return {"id": number, "type": "private", "first_name": "Ada"}


def _shown(params: Json, field: str, limit: int) -> str:
    """Return the text as people see it; refuse wrong markup and what is too long."""
    try:
        shown = shown_text(str(params.get(field, "")), params.get("parse_mode"))
    except WrongMarkup as error:
        raise RefusedCall(400, f"Bad Request: can't parse entities: {error}") from None
    if utf16_length(shown) > limit:
        what = "message caption" if field == "caption" else "message"
        raise RefusedCall(400, f"Bad Request: {what} is too long")
    return shown


async def _params_of(request: web.Request) -> Json:
    """Return the parameters of a call: of the address, of JSON, or of a form."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        params |= decode_json(await request.read() or b"{}")
    elif request.can_read_body:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                params[name] = {"name": value.filename, "size": _size_of(value.file)}
            else:
                params[name] = value
    return params


def _size_of(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)
