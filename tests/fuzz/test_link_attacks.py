"""What a process of the same user can do on the workers' links, and what becomes of a victim.

Each attack is tried by a stranger, which knows everything that is public, and by a proven worker,
which has a token of its own. Beside it the victim sends messages and answers calls; afterwards
all of its messages have arrived in order, its calls reach it, nothing was forged, and it is still
connected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog

from ipc.errors import RemoteError
from ipc.frames import control, data
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import Answer, Call, DataHello
from ipc.frames.words import Phase
from ipc.identity.peer import PeerCredentials, PeerProof
from ipc.websocket.client import Client
from ipc.zeromq import flood
from runtime.gateway.accounts.data_link import DataRouter
from runtime.supervisor.accounts.control_link import ControlLink
from runtime.supervisor.lifecycle import Start
from tests.support.accounts import Stage, account_of, living, phase, spec_of
from tests.support.gateway_rig import SECRET, gateway_rig, payload, row, single
from tests.support.messages import KEY, take
from tests.support.players import beat
from tests.support.short_directory import ShortDirectory
from tests.support.until import until
from tests.support.zmtp import MORE, RawPeer, frame, greeting, hello, initiate, message
from workers.links.control import WorkerControlLink
from workers.links.data import WorkerDataLink

PROOF = PeerProof(SECRET)
OTHER = "irc:oftc"
VICTIM = f"{KEY}#1".encode()
FORGED = data.encode([single(1, data.INBOUND, payload(KEY, 1, text="forged"))])
STATUS = control.encode([control.StatusPatch({"connected": False, "lastError": "forged"})])
HALF = 20  # of the victim's messages
TEXTS = [f"text {seq}" for seq in range(1, 2 * HALF + 1)]
SEND = {"to": "x", "message": "y", "channel": "irc", "accountId": "libera"}
SENT = b'{"id":"1","chat":"x","ts":1}'

Attack = Callable[[RawPeer, bytes], Awaitable[Any]]


async def _desync(peer: RawPeer, own: bytes) -> None:
    """Parts that shift what is an id and what is a body: zmq_desync.py."""
    for parts in (
        [b"\x90", VICTIM, FORGED],
        [data.encode([]), VICTIM, FORGED],
        [b"\x90", own],
        [data.encode([]), own, own],
        [b"\x90"] * 7,
    ):
        await peer.send(message(*parts))


async def _handover(peer: RawPeer, own: bytes) -> None:
    """A second connection of whoever knows the victim's name: zmq_handover.py."""
    hello = DataHello(KEY, 1, "0" * 64, 1)
    await peer.send(message(data.encode([hello])) + message(FORGED))
    await peer.send(message(data.encode([Answer(1, True, b'{"id":"stolen"}')])))


async def _control(peer: RawPeer, own: bytes) -> None:
    """Frames of the other link, and a status of another account: zmq_control.py."""
    await peer.send(message(STATUS) + message(b"\x90", VICTIM, STATUS))


async def _memory(peer: RawPeer, own: bytes) -> None:
    """One message that never ends: zmtp_mem.py."""
    part = frame(bytes(60_000), MORE)
    for _ in range(200):
        if not await peer.send(part * 10):
            break


ATTACKS: dict[str, Attack] = {
    "desync": _desync,
    "handover": _handover,
    "control": _control,
    "memory": _memory,
}
ATTACKERS: dict[str, PeerCredentials | None] = {
    "stranger": None,
    "stranger with a token of its own making": PeerCredentials(f"{KEY}#1", "f" * 64),
    "proven": PROOF.credentials(OTHER, 1),
}


async def attack(path: str, who: str, what: str) -> None:
    """Attack as far as one gets."""
    known = ATTACKERS[who]
    async with RawPeer(path) as peer:
        if known is None:
            await peer.send(greeting(b"NULL"))
            await ATTACKS[what](peer, b"mallory")
        elif who == "proven":
            claimed = VICTIM if what == "handover" else known.routing_id
            await peer.prove(known, claimed)
            await ATTACKS[what](peer, known.routing_id)
        else:
            await peer.send(greeting() + hello(known.name.encode(), known.token.encode()))
            await peer.send(initiate(VICTIM))
            await ATTACKS[what](peer, known.routing_id)
        await asyncio.sleep(0.05)


async def attack_beside_others(path: str, who: str, what: str) -> None:
    """Attack as ``attack`` does; another attack may have the link bound anew at any moment."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await attack(path, who, what)


class DataVictim:
    """A worker's real end of the data link, whose calls are noted."""

    def __init__(self, address: str) -> None:
        self.calls: list[Call] = []
        boot = boot_of("", address)
        self.link = WorkerDataLink(boot, self._on_call, structlog.get_logger("victim"))
        self.link.open()

    def _on_call(self, call: object, gateway: str) -> None:
        assert isinstance(call, Call)
        self.calls.append(call)
        self.link.answer(call.id, gateway, True, SENT)

    def say(self, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            self.link.post(payload(KEY, seq), data.INBOUND)


def boot_of(control: str, data: str) -> WorkerBoot:
    token = PROOF.token(KEY, 1)
    return WorkerBoot(KEY, 1, token, control, data, "", {}, "", "")


async def sent_beside_floods(client: Client, link: DataRouter, key: str) -> Any:
    """Send a message, again where a flood ended the link: what it left may be found late."""
    while True:
        floods = link.report().floods
        try:
            return await client.call("send", SEND | {"idempotencyKey": f"{key} {floods}"})
        except RemoteError as error:
            if link.report().floods == floods or "may have been executed" not in error.message:
                raise


@pytest.mark.timeout(60)
@pytest.mark.parametrize("who", ATTACKERS)
@pytest.mark.parametrize("what", ATTACKS)
async def test_a_victim_on_the_data_link_notices_nothing(
    what: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "LIMIT_BYTES", 32 << 20)  # so that the test is quick
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.05)
    async with gateway_rig(row(KEY), row(OTHER)) as rig:
        watcher, client = await rig.watcher(), await rig.client()
        path = rig.parts.boot.data
        victim = DataVictim(path)
        try:
            await until(lambda: KEY in rig.parts.peers.by_key)
            victim.say(1, HALF)
            await attack(path, who, what)
            attacks = [asyncio.create_task(attack_beside_others(path, who, what)) for _ in range(3)]
            victim.say(HALF + 1, 2 * HALF)
            found = [body for _, body in await take(watcher, 2 * HALF)]
            assert [each["message"]["text"] for each in found] == TEXTS
            assert {each["account"] for each in found} == {KEY}
            await asyncio.gather(*attacks)
            await until(lambda: KEY in rig.parts.peers.by_key and victim.link.backlog.idle)
            link = rig.parts.data_link
            for number in range(3):
                sent = await sent_beside_floods(client, link, f"k{number}")
                assert sent["messageId"] == "1"
            assert len(victim.calls) == 3 or link.report().floods
            assert link.dropped["duplicate"] == 0 or link.report().floods
        finally:
            victim.link.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("who", ATTACKERS)
@pytest.mark.parametrize("what", ATTACKS)
async def test_a_victim_on_the_control_link_notices_nothing(
    what: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "LIMIT_BYTES", 32 << 20)
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.05)
    account = account_of(Stage(), spec_of(KEY), first_incarnation=0)
    with ShortDirectory() as directory:
        address = f"ipc://{directory / 'control.ipc'}"
        link = ControlLink(
            address,
            SECRET,
            find={KEY: account}.get,
            on_hello=lambda account: None,
            on_change=lambda account: None,
            on_figures=lambda account: None,
        )
        link.open()
        async with living(account):
            account.child.post(Start())
            await until(lambda: account.child.process is not None)
            victim = WorkerControlLink(boot_of(address, ""), lambda lag: beat())
            victim.open()
            try:
                victim.patch({"detail": "0"})
                victim.send_ready()
                await phase(account, Phase.RUNNING)
                await attack(address, who, what)
                attacks = [
                    asyncio.create_task(attack_beside_others(address, who, what)) for _ in range(3)
                ]
                for number in range(1, 30):
                    victim.patch({"detail": str(number), "lastInboundAt": number})
                    await asyncio.sleep(0.01)
                await asyncio.gather(*attacks)
                await until(lambda: account.status().plugin.get("detail") == "29")
                row = account.status()
                assert (row.last_error, row.plugin.get("connected")) != ("forged", False)
                heard = account.heartbeat.pulse.heard
                link.ping(account)
                await until(lambda: account.heartbeat.pulse.heard > heard)
            finally:
                victim.close()
                link.close()
