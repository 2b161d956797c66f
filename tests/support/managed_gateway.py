"""A managed gateway on virtual time, with a fake kind and fake sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from ipc.errors import PeerGone
from ipc.frames.words import Phase
from runtime.config.gateway_model import GatewayConfig
from runtime.config.http_model import CanvasHostConfig
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.managed import ManagedGateway
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.policy import Policy
from tests.support.accounts import Puppet
from tests.support.until import until

POLICY = Policy(initial=0.5, maximum=30.0, jitter=0.0, slow_after=None, ready_within=30.0)


class PlayedLink:
    """A session that opens when the test says so."""

    def __init__(self, news: SessionEvents) -> None:
        self.news = news
        self.connected = False
        self.attempts = 1
        self.changes = 0
        self.told: list[tuple[str, Any]] = []
        self.wrong: str | None = None
        self.ended = False
        self.broken = False

    def send_changes(self) -> None:
        self.changes += 1

    async def run(self) -> None:
        try:
            if self.broken:
                raise KeyError("a bug")
            await asyncio.Event().wait()
        finally:
            self.ended = True

    async def try_call(self, method: str, params: dict[str, Any] | None) -> str | None:
        self.told.append((method, params))
        return self.wrong

    async def ask(self, method: str, params: dict[str, Any] | None) -> Any:
        self.told.append((method, params))
        if self.wrong is not None:
            raise PeerGone("the gateway", maybe_executed=False)
        return {"answered": method}

    def open(self) -> None:
        self.connected = True
        self.news.up()

    def lose(self) -> None:
        self.connected = False
        self.news.lost("closed with 1006")


class PlayedKind:
    """A gateway that is spawned as a puppet; it is its own listener."""

    name = "own"
    policy = POLICY
    url = "ws://127.0.0.1:18789"
    port = 18789
    last_error: str | None = None
    warnings: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.puppets: list[Puppet] = []
        self.links: list[PlayedLink] = []
        self.did: list[str] = []
        self.taken: PortTaken | None = None
        self.deaf = False
        self.broken = False
        self.stopping: asyncio.Event | None = None
        self.listener: Any = self

    def open(self) -> None:
        self.did.append("open")
        if self.taken is not None:
            raise self.taken

    async def open_by_force(self) -> None:
        self.did.append("open by force")

    def close(self) -> None:
        self.did.append("close")

    async def spawn(self, incarnation: int, stopping: asyncio.Event) -> Any:
        self.stopping = stopping
        self.puppets.append(Puppet("gateway", incarnation, 999_999_999, deaf=self.deaf))
        return self.puppets[-1]

    def session(self, incarnation: int, news: SessionEvents) -> Any:
        self.links.append(PlayedLink(news))
        self.links[-1].broken = self.broken
        return self.links[-1]


class GatewayRig:
    """A managed gateway of a fake kind, and how often it has changed."""

    def __init__(self) -> None:
        self.kind = PlayedKind()
        self.changes = 0
        self.error: Exception | None = None
        self.loaded: Any = SimpleNamespace(
            revision="r1",
            config=SimpleNamespace(gateway=GatewayConfig(), canvas_host=CanvasHostConfig()),
        )
        self.gateway = ManagedGateway(
            self.kind,
            first_incarnation=100,
            loaded=lambda: self.loaded,
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1
        if self.error is not None:
            raise self.error

    @property
    def link(self) -> PlayedLink:
        return self.kind.links[-1]

    @property
    def phase(self) -> Phase:
        return self.gateway.child.state.phase

    async def is_in(self, phase: Phase) -> None:
        assert await self.gateway.until(lambda: self.phase is phase, 1000.0), self.phase

    async def up(self) -> None:
        """Report the current incarnation as ready."""
        born = len(self.kind.puppets)
        self.gateway.start()
        await until(lambda: len(self.kind.puppets) > born)
        self.link.open()
        await self.is_in(Phase.RUNNING)


@asynccontextmanager
async def gateway_rig() -> AsyncIterator[GatewayRig]:
    rig = GatewayRig()
    task = asyncio.create_task(rig.gateway.run())
    await asyncio.sleep(0)
    try:
        yield rig
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert not any(puppet.alive for puppet in rig.kind.puppets)
        assert all(link.ended for link in rig.kind.links)
