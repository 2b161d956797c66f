"""Keeps a bot connected to the gateway: resumes the session, or begins a new one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ipc.epoch import now_ms
from workers.channels.discord.client import DiscordApi
from workers.channels.discord.gateway import ConnectionEnd, GatewayConnection
from workers.channels.discord.objects import SessionPlace
from workers.channels.discord.receiving import EventReceiver
from workers.channels.discord.refusals import (
    API_FAILURES,
    DiscordRefusal,
    ending_of,
    ending_of_close,
)
from workers.channels.discord.session import BotSession
from workers.errors import Transient
from workers.plugin import Context

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
FIRST_TRIES = 3  # before an account that was never connected is begun anew
RESUME_TRIES = 3  # at the address of the session; then at the general one
LASTING = 30.0  # s; what held for so long is not one of several failures in a row

Sleep = Callable[[float], Awaitable[Any]]


class GatewayLoop:
    """Connects one account to the gateway, again and again; ``sleep`` waits between connections."""

    def __init__(
        self,
        ctx: Context,
        api: DiscordApi,
        token: str,
        session: BotSession,
        receiver: EventReceiver,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._ctx = ctx
        self._api = api
        self._token = token
        self._session = session
        self._receiver = receiver
        self._sleep = sleep
        self._works = False  # this connection has a session ...
        self._since = 0.0  # ... since this time of the loop
        self._worked = False  # some connection had one
        self._failures = 0
        self._last_error = ""  # what was logged last

    async def run(self) -> None:
        """Stay connected until cancelled; raises the ``ChannelError`` that ends the account."""
        while True:
            self._works = False
            try:
                url = await self._address()
                connection = GatewayConnection(
                    self._session, self._token, self._on_event, self._receiver.on_alive
                )
                ended = await connection.run(self._ctx.http, url)
            except API_FAILURES as error:
                ended = self._end_of(error)
            if (ending := ending_of_close(ended.code)) is not None:
                raise ending
            await self._pause(ended)

    async def _address(self) -> str:
        """Return the gateway's address. Raises ``Transient`` if no new session may be begun."""
        if self._session.url and self._failures < RESUME_TRIES:
            return self._session.url
        found = await self._api.call("GET /gateway/bot", result=SessionPlace)
        limit = found.session_start_limit
        if not self._session.id and limit.remaining <= 0:
            raise Transient(
                "Discord allows no new session for now: too many were begun within a day",
                retry_after=max(limit.reset_after / 1000, 1.0),
            )
        return found.url

    async def _on_event(self, name: str, data: msgspec.Raw) -> None:
        if not self._works:
            self._begin()
        await self._receiver.on_event(name, data)

    def _begin(self) -> None:
        """Report that there is a session, whose events may be handed on from now on."""
        if self._last_error:
            self._ctx.log.info("connected again", after=self._failures)
        self._works = self._worked = True
        self._since, self._last_error = asyncio.get_running_loop().time(), ""
        now = now_ms()
        self._ctx.status(
            connected=True, last_error=None, last_connected_at=now, last_transport_activity_at=now
        )
        self._ctx.ready()

    def _end_of(self, error: Exception) -> ConnectionEnd:
        if isinstance(error, DiscordRefusal):
            if error.status == 401:
                raise ending_of(error) from None
            return ConnectionEnd(str(error), wait=error.retry_after or 0.0)
        return ConnectionEnd(str(error))

    async def _pause(self, ended: ConnectionEnd) -> None:
        """Wait before the next connection: as long as Discord asks, otherwise longer each time."""
        if self._works:
            self._ctx.status(connected=False, last_disconnect_at=now_ms())
            if asyncio.get_running_loop().time() - self._since >= LASTING:
                self._failures = 0
        if not self._worked and self._failures >= FIRST_TRIES:
            raise Transient(ended.text, retry_after=ended.wait or None)
        if not ended.routine and ended.text != self._last_error:
            self._last_error = ended.text
            self._ctx.log.warning("the connection has ended", why=ended.text)
            self._ctx.status(last_error=ended.text)
        wait = max(ended.wait, pause_after(self._failures))
        self._failures += 1
        await self._sleep(wait * random.uniform(1.0, 1.2))


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failed connections in a row."""
    if not failures:
        return 0.0
    return float(min(FIRST_PAUSE * 2.0 ** min(failures - 1, 8), LONGEST_PAUSE))
