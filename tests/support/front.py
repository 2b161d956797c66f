"""A gateway's keeper on virtual time, with a source and sessions that are played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from ipc.frames.words import Phase
from runtime.config.model import GatewayConfig
from runtime.supervisor.gateways.interface import News
from runtime.supervisor.gateways.managed import Front
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.lifecycle import Policy
from tests.support.accounts import Puppet
from tests.support.until import until

POLICY = Policy(initial=0.5, maximum=30.0, jitter=0.0, slow_after=None, ready_within=30.0)


class PlayedLink:
    """A session that opens when the test says so."""

    def __init__(self, news: News) -> None:
        self.news = news
        self.connected = False
        self.attempts = 1
        self.changes = 0
        self.told: list[tuple[str, Any]] = []
        self.wrong: str | None = None
        self.ended = False
        self.broken = False

    def changed(self) -> None:
        self.changes += 1

    async def run(self) -> None:
        try:
            if self.broken:
                raise KeyError("a bug")
            await asyncio.Event().wait()
        finally:
            self.ended = True

    async def tell(self, method: str, params: dict[str, Any]) -> str | None:
        self.told.append((method, params))
        return self.wrong

    def open(self) -> None:
        self.connected = True
        self.news.up()

    def lose(self) -> None:
        self.connected = False
        self.news.lost("closed with 1006")


class PlayedSource:
    """A gateway that is spawned as a puppet."""

    kind = "own"
    policy = POLICY
    url = "ws://127.0.0.1:18789"
    port = 18789
    last_error: str | None = None

    def __init__(self) -> None:
        self.puppets: list[Puppet] = []
        self.links: list[PlayedLink] = []
        self.did: list[str] = []
        self.taken: PortTaken | None = None
        self.deaf = False
        self.broken = False

    def open(self, *, force: bool = False) -> None:
        self.did.append("open")
        if self.taken is not None:
            raise self.taken

    async def seize(self) -> None:
        self.did.append("seize")

    def close(self) -> None:
        self.did.append("close")

    def interrupt(self) -> None:
        self.did.append("interrupt")

    def refused(self, reason: str) -> None:
        self.did.append(f"refused: {reason}")

    async def spawn(self, incarnation: int) -> Any:
        self.puppets.append(Puppet("gateway", incarnation, 999_999_999, deaf=self.deaf))
        return self.puppets[-1]

    def session(self, incarnation: int, news: News) -> Any:
        self.links.append(PlayedLink(news))
        self.links[-1].broken = self.broken
        return self.links[-1]


class FrontHouse:
    """A front, its source, and how often it said that something changed."""

    def __init__(self) -> None:
        self.source = PlayedSource()
        self.changes = 0
        self.error: Exception | None = None
        self.loaded: Any = SimpleNamespace(
            revision="r1", config=SimpleNamespace(gateway=GatewayConfig())
        )
        self.front = Front(
            self.source,
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
        return self.source.links[-1]

    @property
    def phase(self) -> Phase:
        return self.front.child.state.phase

    async def is_in(self, phase: Phase) -> None:
        assert await self.front.until(lambda: self.phase is phase, 1000.0), self.phase

    async def up(self) -> None:
        """Have the present incarnation become ready."""
        born = len(self.source.puppets)
        self.front.start()
        await until(lambda: len(self.source.puppets) > born)
        self.link.open()
        await self.is_in(Phase.RUNNING)


@asynccontextmanager
async def front_house() -> AsyncIterator[FrontHouse]:
    found = FrontHouse()
    task = asyncio.create_task(found.front.run())
    await asyncio.sleep(0)
    try:
        yield found
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert not any(puppet.alive for puppet in found.source.puppets)
        assert all(link.ended for link in found.source.links)
