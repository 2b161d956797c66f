"""Keeps a Socket Mode connection of one app open, and replaces it in time.

Slack closes each connection after some hours, and announces it. The next one is opened before
the old one is closed, and both are read meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ipc import timeouts
from ipc.epoch import now_ms
from workers.channels.slack.client import WebApi
from workers.channels.slack.connection import NOT_UNDERSTOOD, SlackConnection
from workers.channels.slack.intake import EnvelopeIntake
from workers.channels.slack.objects import BotIdentity, OpenedConnection
from workers.channels.slack.refusals import SWITCHED_OFF, TOO_MANY, SlackRefusal, ending_of
from workers.errors import Misconfigured, Transient
from workers.plugin import Context
from workers.web.faults import NoAnswer, Unreachable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
CROWDED_PAUSE = 30.0  # when too many are connected
LASTED_SECONDS = 60.0  # a connection that lasted so long was a good one
LINGER_SECONDS = 60.0  # how long one that is replaced is read on
SIGN_SECONDS = 15.0  # the status shows signs of life so often

Sleep = Callable[[float], Awaitable[Any]]
T = TypeVar("T")


class SocketModeListener:
    """The Socket Mode connections of one account, opened by ``app`` while ``bot`` is logged in.

    ``sleep`` waits between failed attempts.
    """

    def __init__(
        self,
        ctx: Context,
        bot: WebApi,
        app: WebApi,
        intake: EnvelopeIntake,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._ctx = ctx
        self._bot = bot
        self._app = app
        self._intake = intake
        self._sleep = sleep
        self._failures = 0
        self._last_error = ""  # what was logged last
        self._signed = 0.0
        self._doubted = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled. Raises ``NeedsLogin`` or ``Misconfigured``, in a group."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.emit_all())
            tasks.create_task(self._intake.acknowledge_all())
            tasks.create_task(self._intake.resolve_names())
            tasks.create_task(self._check_on_demand())
            connection = await self._connect_first()
            while True:
                tasks.create_task(self._read(connection))
                await connection.leaving.wait()
                if connection.ended:
                    await self._on_lost(connection)
                connection = await self._connect_again()

    def request_login_check(self) -> None:
        """Request a check of the bot's login, because a call was refused."""
        self._doubted.set()

    async def _check_on_demand(self) -> None:
        while True:
            await self._doubted.wait()
            try:
                await _ask(self._bot, "auth.test", "botToken", BotIdentity)
            except (SlackRefusal, Unreachable, NoAnswer) as error:
                self._ctx.log.debug("the login is not checked", error=str(error))
            self._doubted.clear()

    async def _connect_first(self) -> SlackConnection:
        """Open the first connection; raises the error that ends the account if that fails."""
        try:
            connection = await self._open()
        except (SlackRefusal, Unreachable, NoAnswer) as error:
            raise ending_of(error, "appToken") from None
        self._on_connected(connection)
        return connection

    async def _connect_again(self) -> SlackConnection:
        """Open a new connection, however long that takes, if the bot is still logged in.

        No event tells that a token was revoked.
        """
        while True:
            try:
                await _ask(self._bot, "auth.test", "botToken", BotIdentity)
                connection = await self._open()
            except (SlackRefusal, Unreachable, NoAnswer) as error:
                await self._pause(str(error), getattr(error, "retry_after", None))
            else:
                self._on_connected(connection)
                return connection

    async def _open(self) -> SlackConnection:
        opened = await _ask(self._app, "apps.connections.open", "appToken", OpenedConnection)
        connection, frame = await SlackConnection.open(
            self._ctx.http, opened.url, self._on_activity
        )
        if frame.type == "hello":
            return connection
        await connection.close()
        if frame.reason == "link_disabled":
            raise Misconfigured(SWITCHED_OFF)
        if frame.reason == "too_many_websockets":
            raise SlackRefusal("Socket Mode", TOO_MANY, retry_after=CROWDED_PAUSE)
        raise Unreachable(f"Socket Mode: {frame.reason or frame.type} instead of hello")

    async def _read(self, connection: SlackConnection) -> None:
        """Read a connection until it ends; a replaced one only for a short time more."""
        loop = asyncio.get_running_loop()
        try:
            async with timeouts.timeout(None) as limit:
                async for frame in connection.frames():
                    if frame.type == "disconnect":
                        self._on_disconnect(connection, frame.reason or "")
                        limit.reschedule(loop.time() + LINGER_SECONDS)
                    elif frame.envelope_id:
                        self._intake.put(connection, frame)
                    elif frame.type == NOT_UNDERSTOOD:
                        self._ctx.log.warning("a frame is not understood", error=frame.reason)
        except TimeoutError:
            self._ctx.log.debug("a connection that was replaced long ago is closed")
        finally:
            await connection.close()

    def _on_disconnect(self, connection: SlackConnection, reason: str) -> None:
        """Replace a connection that Slack is about to close."""
        if reason == "link_disabled":
            raise Misconfigured(SWITCHED_OFF)
        self._ctx.log.debug("Slack is about to close a connection", reason=reason)
        connection.leaving.set()

    async def _on_lost(self, connection: SlackConnection) -> None:
        """Wait after a connection that ended unannounced, unless it had lasted long enough."""
        if time.monotonic() - connection.opened >= LASTED_SECONDS:
            self._failures = 0
        await self._pause(connection.ended, None)

    async def _pause(self, reason: str, asked: float | None) -> None:
        """Wait after a failed attempt: as long as Slack asks, otherwise longer each time."""
        if self._intake.current is None or self._intake.current.ended:
            self._ctx.status(connected=False)
            if not self._last_error:
                self._ctx.status(last_disconnect_at=now_ms())
        if reason != self._last_error:
            self._last_error = reason
            self._ctx.log.warning("not connected", error=reason)
            self._ctx.status(last_error=reason)
        wait = pause_after(self._failures)
        self._failures += 1
        await self._sleep(max(wait * random.uniform(0.5, 1.0), asked or 0.0))

    def _on_connected(self, connection: SlackConnection) -> None:
        """Report that the account is connected."""
        if self._last_error:
            self._ctx.log.info("connected again", after=self._failures)
        self._last_error = ""
        self._intake.current = connection
        now = now_ms()
        self._ctx.status(connected=True, last_error=None, last_connected_at=now)
        self._ctx.status(last_transport_activity_at=now)
        self._ctx.ready()

    def _on_activity(self) -> None:
        """Record a sign of life."""
        now = time.monotonic()
        if now - self._signed >= SIGN_SECONDS:
            self._signed = now
            self._ctx.status(last_transport_activity_at=now_ms())


def pause_after(failures: int) -> float:
    """Return the longest wait in seconds after so many failed attempts."""
    return float(min(FIRST_PAUSE * 2 ** min(failures, 10), LONGEST_PAUSE))


async def _ask(api: WebApi, method: str, token: str, result: type[T]) -> T:
    """Call a method; raise the error that ends the account if trying again cannot help."""
    try:
        return await api.call(method, result=result)
    except SlackRefusal as error:
        ending = ending_of(error, token)
        raise (error if isinstance(ending, Transient) else ending) from None
