"""The part of a session that is the same for every kind of gateway."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ipc.errors import PeerGone, RemoteError
from ipc.websocket.backoff import RetryPolicy
from ipc.websocket.client import Client
from ipc.websocket.reconnect_loop import Failure
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.session_base import SessionBase

TOKEN = "sesame-0123456789"


class PlayedClient:
    """An open session; the gateway refuses what is not ``health``, with the token in its words."""

    async def call(self, method: str, params: Any, *, timeout: float) -> Any:
        if method != "health":
            raise RemoteError("INVALID_REQUEST", f"what is {method}, {TOKEN}?")
        return {"params": params, "timeout": timeout}


class PlainSession(SessionBase):
    """A session that opens when ``gateway`` is set, and stays open until ``lost`` has a reason."""

    def __init__(self) -> None:
        self.told: list[str] = []
        note = self.told.append
        super().__init__(
            SessionEvents(lambda: note("up"), note, note, note), RetryPolicy((0.0,), 0.0)
        )
        self.gateway = asyncio.Event()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def _connect(self) -> Client:
        if self.attempts == 1:
            raise ConnectionRefusedError
        await self.gateway.wait()
        return cast("Client", PlayedClient())

    async def _serve(self, client: Client) -> str:
        self._client = client
        self._events.up()
        try:
            return await self.lost
        finally:
            self._client = None

    def _on_lost(self, reason: str) -> bool:
        self._events.lost(reason)
        return False

    def _on_failed(self, failure: Failure) -> bool:
        self._events.fault(type(failure.error).__name__)
        return True

    def _hide(self, text: str) -> str:
        return text.replace(TOKEN, "***")


async def test_a_session_is_tried_until_it_opens_and_ends_where_the_kind_wants_no_other() -> None:
    session = PlainSession()
    session.gateway.set()
    session.lost.set_result("closed with 1006")
    await session.run()
    assert session.told == ["ConnectionRefusedError", "up", "closed with 1006"]
    assert session.attempts == 2


async def test_calls_go_over_the_open_session_only() -> None:
    session = PlainSession()
    assert await session.try_call("health", None) == "not connected"
    with pytest.raises(PeerGone) as gone:
        await session.ask("health", {})
    assert not gone.value.maybe_executed
    session._client = cast("Client", PlayedClient())  # as ``_serve`` does
    answer = await session.ask("health", {"probe": True})
    assert answer == {"params": {"probe": True}, "timeout": SessionBase.VERIFY_WITHIN}
    assert await session.try_call("health", None) is None


async def test_a_refusal_is_returned_without_the_secrets_of_the_session() -> None:
    session = PlainSession()
    session._client = cast("Client", PlayedClient())  # as ``_serve`` does
    assert await session.try_call("nonsense", {}) == "INVALID_REQUEST: what is nonsense, ***?"
