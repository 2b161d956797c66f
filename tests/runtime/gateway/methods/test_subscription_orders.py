"""A client that stays misses nothing, in whatever order messages, commits, kills and sessions come.

The gateway is real, and so are client and sockets; what is random is played by the test: workers
that speak, a journal that commits late, a gateway that is killed before or after a commit and
before its clients know, further incarnations and further accounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from ipc.frames.data import DataHello, Welcome
from ipc.frames.websocket import Event
from ipc.identity.peer import PeerProof
from ipc.websocket.reconnecting import GAP, ReconnectingClient, Subscription
from tests.support.gateway_rig import SECRET, TOKEN, GatewayRig, Worker, gateway_rig, row
from tests.support.journals import HeldJournal
from tests.support.messages import KEY
from tests.support.until import until

OTHER = "irc:oftc"
STEPS = 30
ORDERS = 12  # in the usual run
MORE_ORDERS = 200


class Account:
    """An account whose incarnations keep what no gateway has acknowledged."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.incarnation, self.last, self.acked = 1, 0, 0
        self.worker: Worker | None = None

    @property
    def row(self) -> dict[str, Any]:
        return row(self.key, incarnation=self.incarnation, journal="on")

    def say(self) -> str:
        """Emit the next message; return its text."""
        self.last += 1
        if self.worker is not None:
            self._send(self.last)
        return self._text(self.last)

    async def meet(self, rig: GatewayRig) -> None:
        """Say hello to a gateway, and send what it does not have."""
        worker = Worker(rig, self.key, self.incarnation)
        rig.opened.append(worker)
        proof = PeerProof(SECRET).token(self.key, self.incarnation)
        worker.send(DataHello(self.key, self.incarnation, proof, self.acked + 1))
        welcome: Welcome = await worker.next(Welcome)
        self.worker = worker
        for seq in range(welcome.acked + 1, self.last + 1):
            self._send(seq)

    async def renew(self, rig: GatewayRig) -> None:
        """Go on as the next incarnation."""
        self.incarnation, self.last, self.acked = self.incarnation + 1, 0, 0
        self.worker = None
        await rig.report(self.row)
        await self.meet(rig)

    def stored(self, rig: GatewayRig) -> int:
        """Return up to which message the gateway has handed on."""
        peer = rig.parts.peers.by_key.get(self.key)
        return 0 if peer is None or peer.incarnation != self.incarnation else peer.done

    def _send(self, seq: int) -> None:
        assert self.worker is not None
        self.worker.say(seq, id=self._text(seq), text=self._text(seq))

    def _text(self, seq: int) -> str:
        return f"{self.incarnation}:{seq}"


class World:
    """A client, and one gateway after another."""

    def __init__(self, chance: random.Random, subscription: Subscription) -> None:
        self.chance = chance
        self.accounts = [Account(KEY)]
        self.journal = HeldJournal()
        self.said: defaultdict[str, list[str]] = defaultdict(list)
        self.heard: defaultdict[str, list[str]] = defaultdict(list)
        self.gaps: list[Any] = []
        self.rig: GatewayRig | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._gateway = contextlib.AsyncExitStack()
        self.client = ReconnectingClient(
            f"ws://127.0.0.1:{self._listener.getsockname()[1]}",
            token=TOKEN,
            on_event=self._take,
            subscribe=subscription,
            caps=("channel-events",) if chance.random() < 0.5 else (),
        )

    def _take(self, event: Event) -> None:
        if event.event in (GAP, "channel.gap"):
            self.gaps.append(event)
        elif event.event == "channel.message":
            assert isinstance(event.payload, msgspec.Raw)
            told = msgspec.json.decode(event.payload)
            self.heard[told["account"]].append(told["message"]["text"])

    async def begin(self, *, met: bool = True) -> None:
        """Start a gateway with the journal's file."""
        self.journal = HeldJournal(self.journal)
        rows = [account.row for account in self.accounts]
        opened = gateway_rig(*rows, listener=self._listener.dup())
        self.rig = await self._gateway.enter_async_context(opened)
        for account in self.accounts if met else ():
            await account.meet(self.rig)

    async def history(self) -> None:
        """Have some messages handed on before there is a client."""
        count = self.chance.randrange(3)
        for _ in range(count):
            self.accounts[0].say()

        def handed_on() -> bool:
            self.journal.store()
            return self.rig is not None and self.rig.parts.data_link.messages == count

        await until(handed_on)

    async def kill(self) -> None:
        """Let the gateway be gone: nothing it has not written is written any more."""
        assert self.rig is not None
        if self.chance.random() < 0.5:
            self.journal.store_unnoticed()
        for connection in list(self.rig.parts.server.connections):
            connection.transport.abort()
        for account in self.accounts:
            if account.worker is not None and self.chance.random() < 0.5:
                account.acked = account.stored(self.rig)
            account.worker = None
        self.rig = None
        await self._gateway.aclose()

    async def step(self) -> None:
        """Do something, or let the loop turn some times."""
        what = self.chance.choice(["say", "say", "say", "store", "turn", "kill", "renew", "add"])
        if what == "say":
            account = self.chance.choice(self.accounts)
            self.said[account.key].append(account.say())
        elif what == "store":
            self.journal.store()
        elif what == "turn":
            for _ in range(self.chance.randrange(1, 40)):
                await asyncio.sleep(0)
        elif what == "kill":
            await self.kill()
            await self.begin(met=self.chance.random() < 0.7)
        elif self.rig is not None and what == "renew":
            account = self.chance.choice(self.accounts)
            if account.worker is not None:
                await self._drained(account, self.rig)
                await account.renew(self.rig)
        elif self.rig is not None and len(self.accounts) == 1:
            self.accounts.append(Account(OTHER))
            await self.rig.report(self.accounts[-1].row)
            await self.accounts[-1].meet(self.rig)

    async def _drained(self, account: Account, rig: GatewayRig) -> None:
        def has_all() -> bool:
            self.journal.store()
            return account.stored(rig) == account.last

        await until(has_all)

    async def end(self) -> None:
        """Let everything arrive that is under way."""
        assert self.rig is not None
        for account in self.accounts:
            if account.worker is None:
                await account.meet(self.rig)

        def arrived() -> bool:
            self.journal.store()
            return all(len(self.heard[key]) >= len(said) for key, said in self.said.items())

        with contextlib.suppress(TimeoutError):
            await until(arrived, 5)

    async def close(self) -> None:
        await self.client.close()
        await self._gateway.aclose()
        self._listener.close()


@contextlib.asynccontextmanager
async def world(
    seed: int, subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """Run a world whose client connects again without a pause."""
    made = World(random.Random(seed), subscription)
    monkeypatch.setattr("ipc.websocket.sessions.PROVEN", 0.0)
    monkeypatch.setattr("runtime.gateway.assembly.Assembly._open_journal", lambda *_: made.journal)
    try:
        yield made
    finally:
        await made.close()


async def _missing_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = None if seed % 2 else [KEY, OTHER]
    async with world(seed, Subscription(accounts=keys), monkeypatch) as made:
        await made.begin()
        await made.history()
        await made.client.open()
        for _ in range(STEPS):
            await made.step()
        await made.end()
        assert dict(made.heard) == dict(made.said)
        assert made.gaps == []


@pytest.mark.parametrize("seed", range(ORDERS))
async def test_nothing_is_missing_in_any_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await _missing_nothing(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ORDERS, MORE_ORDERS))
async def test_nothing_is_missing_in_any_of_many_orders(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _missing_nothing(seed, monkeypatch)
