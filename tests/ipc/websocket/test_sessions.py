"""Sessions one after the other: who waits for the next one, and who is told that there is none."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from ipc.errors import ConnectionFailed, IpcError, PeerGone, RemoteError
from ipc.websocket.client import Client
from ipc.websocket.sessions import Sessions
from tests.support.scripted import ScriptedServer, Side, scripted, welcoming
from tests.support.until import until

REFUSAL = {"code": "INVALID_REQUEST", "message": "unauthorized", "details": {"code": "AUTH_X"}}


class Owner:
    """Keeps sessions to a scripted server, and what it is told about them."""

    def __init__(
        self,
        server: ScriptedServer,
        *,
        patience: float | None = None,
        fault: Exception | None = None,
    ) -> None:
        self.server = server
        self.opened: list[Client] = []
        self.lost: list[str] = []
        self.ends = 0
        self._fault = fault
        self.sessions = Sessions(
            server.url, self._connect, self._on_open, self.lost.append, self._on_end, patience
        )

    async def _connect(self) -> Client:
        return await Client.connect(self.server.url)

    async def _on_open(self, client: Client) -> None:
        self.opened.append(client)
        if self._fault is not None:
            raise self._fault

    def _on_end(self) -> None:
        self.ends += 1


async def test_the_present_session_is_given_to_everybody() -> None:
    async with scripted(welcoming) as server:
        owner = Owner(server)
        await owner.sessions.open()
        assert owner.sessions.connected
        assert await owner.sessions.current() is await owner.sessions.current() is owner.opened[0]
        await owner.sessions.close()
    assert (owner.sessions.opened, owner.ends) == (1, 1)
    with pytest.raises(PeerGone):
        await owner.sessions.current()


async def test_who_asks_during_a_restart_waits_for_the_next_session() -> None:
    async def restarts(side: Side) -> None:
        await side.welcome()
        await side.request()
        await side.connection.close(1012, "service restart")

    async with scripted(restarts, welcoming) as server:
        owner = Owner(server)
        await owner.sessions.open()
        with suppress(PeerGone):
            await (await owner.sessions.current()).call("x")
        assert await owner.sessions.current() is owner.opened[1]
        assert owner.lost == ["closed with 1012 service restart"]
        await owner.sessions.close()


async def test_where_nobody_listens_opening_fails_and_ends() -> None:
    async with scripted(welcoming) as server:
        owner = Owner(server)
        server.url = "ws://127.0.0.1:1"
        with pytest.raises(ConnectionFailed, match="refused"):
            await owner.sessions.open()
        assert owner.ends == 1
        assert not owner.sessions.connected


async def test_a_refusal_is_final_for_all() -> None:
    async def refuses(side: Side) -> None:
        await side.refuse(REFUSAL, 1008, "unauthorized")

    async with scripted(refuses) as server:
        owner = Owner(server)
        with pytest.raises(RemoteError, match="unauthorized"):
            await owner.sessions.open()
        for waits in (owner.sessions.current(), owner.sessions.next()):
            with pytest.raises(RemoteError, match="unauthorized"):
                await waits
        assert isinstance(owner.sessions.ended, RemoteError)
        assert server.connections == 1


async def test_patience_is_for_the_time_without_a_session() -> None:
    async def restarts(side: Side) -> None:
        await side.connection.close(1012)

    async with scripted(restarts) as server:
        owner = Owner(server, patience=0.3)
        with pytest.raises(ConnectionFailed, match="1012"):
            await owner.sessions.open()
        assert server.connections == 2  # at once and after 0.15 s; the next would be at 0.5 s


async def test_a_fault_of_the_owner_ends_it_and_is_named() -> None:
    async with scripted(welcoming) as server:
        owner = Owner(server, fault=ValueError("a fault of ours"))
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with pytest.raises(IpcError, match="ValueError: a fault of ours"):
            await owner.sessions.open()


async def test_a_session_that_says_it_ends_is_replaced_at_once_and_may_still_answer() -> None:
    replaced = asyncio.Event()

    async def leaves(side: Side) -> None:
        await side.welcome()
        request = await side.request()
        await side.say(type="event", event="shutdown")
        await replaced.wait()
        await side.say(type="res", id=request["id"], ok=True, payload="late")

    async with scripted(leaves, welcoming) as server:
        owner = Owner(server)
        await owner.sessions.open()
        asked = asyncio.create_task(owner.opened[0].call("x"))
        await until(lambda: len(owner.opened) == 2)
        assert await owner.sessions.current() is owner.opened[1]
        replaced.set()
        assert await asked == "late"
        await owner.sessions.close()
    assert owner.lost == ["the gateway shuts down"]
