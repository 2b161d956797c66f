"""Polls the updates of one bot, and confirms them only once they are stored.

Telegram deletes updates once a poll asks for later ones. So the next poll is sent only when the
previous updates are stored; updates that were not are sent again to the next worker.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ipc.epoch import now_ms
from ipc.nesting import MALFORMED, decode_json
from workers.channels.telegram.client import BotApi
from workers.channels.telegram.downloads import TelegramDownloads
from workers.channels.telegram.objects import (
    ALLOWED_UPDATES,
    Json,
    Update,
    UpdateId,
    User,
    WebhookInfo,
)
from workers.channels.telegram.refusals import (
    POLLED_TWICE,
    ApiRefusal,
    ending_of,
    is_unauthorized,
    webhook_set,
)
from workers.channels.telegram.translation import happenings_of, inbound_of
from workers.messages import Happened, Inbound
from workers.plugin import Context
from workers.web.faults import NoAnswer, Unreachable

BATCH = 100  # updates at once, the most that Telegram hands out
OLDEST_CURSOR = 6 * 24 * 3600 * 1000  # ms; after a week without updates Telegram numbers them anew
ANSWER_SECONDS = 10.0  # beyond the time that a poll may wait
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
CONFLICT_PAUSE = 5.0  # at first: the other program may be our own predecessor, about to end

Sleep = Callable[[float], Awaitable[Any]]


class Poller:
    """Polls the updates of one account; ``sleep`` waits between failed attempts."""

    def __init__(
        self, ctx: Context, api: BotApi, me: User, seconds: int, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._ctx = ctx
        self._api = api
        self._me = me
        self._seconds = seconds
        self._sleep = sleep
        self._files = TelegramDownloads(api, ctx.media)
        self._offset = offset_of(ctx.cursor, now_ms())
        self._failures = 0
        self._last_error = ""  # what was logged last

    async def run(self) -> None:
        """Poll until cancelled. Raises ``NeedsLogin`` when the token is refused."""
        while True:
            try:
                updates = await self._poll()
            except (ApiRefusal, Unreachable, NoAnswer) as error:
                await self._pause(error)
                continue
            self._on_polled()
            if updates:
                await self._process(updates)

    async def _poll(self) -> list[msgspec.Raw]:
        params: Json = {
            "timeout": self._seconds,
            "limit": BATCH,
            "allowed_updates": ALLOWED_UPDATES,
        }
        if self._offset is not None:
            params["offset"] = self._offset
        return await self._api.call(
            "getUpdates",
            params,
            result=list[msgspec.Raw],
            seconds=self._seconds + ANSWER_SECONDS,
        )

    async def _process(self, updates: list[msgspec.Raw]) -> None:
        """Emit the messages of these updates; return once they may be confirmed."""
        found: list[Inbound | Happened] = []
        pressed: list[str] = []
        for raw in updates:
            try:
                update = decode_json(raw, Update)
            except MALFORMED as error:
                self._ctx.log.warning("an update is not understood", error=str(error))
                self._offset = decode_json(raw, UpdateId).update_id + 1
                continue
            self._offset = update.update_id + 1
            if (message := inbound_of(update, self._me)) is not None:
                found.append(message)
            found += happenings_of(update)
            if update.callback_query is not None:
                pressed.append(update.callback_query.id)
        cursor = {"offset": self._offset, "at": now_ms()}
        messages = await self._files.download(found)
        receipt = (
            await self._ctx.emit(*messages, cursor=cursor) if messages else self._ctx.mark(cursor)
        )
        await receipt
        for query in pressed:
            await self._answer_query(query)

    async def _answer_query(self, query: str) -> None:
        """Answer a pressed button, which ends its progress display; the event is already stored."""
        try:
            await self._api.call("answerCallbackQuery", {"callback_query_id": query})
        except (ApiRefusal, Unreachable, NoAnswer) as error:
            self._ctx.log.debug("a pressed button could not be answered", error=str(error))

    def _on_polled(self) -> None:
        """Report that a poll has succeeded."""
        now = now_ms()
        if self._failures or self._last_error:
            self._ctx.log.info("polling again", after=self._failures)
            self._ctx.status(connected=True, last_error=None, last_connected_at=now)
        self._failures, self._last_error = 0, ""
        self._ctx.status(last_transport_activity_at=now)

    async def _pause(self, error: Exception) -> None:
        """Wait after a failed poll: as long as Telegram asks, otherwise longer each time."""
        if isinstance(error, ApiRefusal) and is_unauthorized(error):
            raise ending_of(error) from None
        text = str(error)
        if isinstance(error, ApiRefusal) and error.code == 409:
            text = await self._why_conflict()
        if not self._failures:
            self._ctx.status(connected=False, last_disconnect_at=now_ms())
        if text != self._last_error:
            self._last_error = text
            self._ctx.log.warning("cannot poll", error=text)
            self._ctx.status(last_error=text)
        wait = pause_after(error, self._failures)
        self._failures += 1
        await self._sleep(wait * random.uniform(1.0, 1.2))

    async def _why_conflict(self) -> str:
        """Find out whether a webhook or another program gets the updates; describe that."""
        try:
            info = await self._api.call("getWebhookInfo", result=WebhookInfo)
        except (ApiRefusal, Unreachable, NoAnswer):
            return POLLED_TWICE
        if not info.url:
            return POLLED_TWICE
        return webhook_set(info.url.partition("://")[2].partition("/")[0] or "another server")


def offset_of(cursor: Any, now: int) -> int | None:
    """Return the offset to begin with, by the stored cursor; ``None`` if that is too old."""
    if not isinstance(cursor, dict):
        return None
    offset, at = cursor.get("offset"), cursor.get("at")
    if not isinstance(offset, int) or not isinstance(at, int):
        return None
    return offset if now - at <= OLDEST_CURSOR else None


def pause_after(error: Exception, failures: int) -> float:
    """Return the seconds to wait after this error and so many failures before it."""
    conflict = isinstance(error, ApiRefusal) and error.code == 409
    own = min((CONFLICT_PAUSE if conflict else FIRST_PAUSE) * 2.0 ** min(failures, 8), 60.0)
    own = own if conflict else min(own, LONGEST_PAUSE)
    asked = error.retry_after if isinstance(error, ApiRefusal) else None
    return max(own, asked or 0.0)
