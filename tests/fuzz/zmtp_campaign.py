"""Forged ZMTP frames of every kind against the data link of a gateway, beside a victim.

A connection is a stranger's or a proven worker's; it sends drawn bytes until it is closed or has
said enough. Meanwhile the victim sends numbered messages: each must be handed on once, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import structlog

from ipc.frames import data
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import Answer, Call, DataHello
from ipc.identity.peer import PeerCredentials, PeerProof
from ipc.websocket.client import Client
from ipc.zeromq.flood import rss_bytes
from tests.support.gateway_rig import SECRET, gateway_rig, payload, row, single
from tests.support.messages import KEY, take
from tests.support.until import until
from tests.support.zmtp import (
    COMMAND,
    LONG,
    MORE,
    RawPeer,
    command,
    frame,
    greeting,
    hello,
    initiate,
    message,
)
from workers.links.data import WorkerDataLink

OTHER = "irc:oftc"
PROOF = PeerProof(SECRET)
OWN = PROOF.credentials(OTHER, 1)
VICTIM = PROOF.credentials(KEY, 1)
FRAMES = 25  # of one connection
AT_ONCE = 8  # connections
CALLS = 3  # to the victim, at the end
MEMORY_BYTES = 48 << 20  # more than the rings and the heap need


@dataclass
class ZmtpReport:
    """What was sent, and what the victim made of it. ``rss`` is in bytes, before and after."""

    frames: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    refused: int = 0
    said: int = 0
    heard: list[str] = field(default_factory=list)
    forged: int = 0
    answered: int = 0
    rss: tuple[int, int] = (0, 0)

    def harm(self) -> list[str]:
        """Return what the frames have done to the victim, or to the process."""
        found = []
        if self.heard != [f"text {seq}" for seq in range(1, self.said + 1)]:
            found.append(f"of {self.said} messages other {len(self.heard)} came, or in disorder")
        if self.forged:
            found.append(f"{self.forged} forged messages")
        if self.answered != CALLS:
            found.append(f"{self.answered} of {CALLS} calls were answered")
        before, after = self.rss
        if after - before > MEMORY_BYTES:
            found.append(f"the memory has grown by {(after - before) >> 20} MiB")
        return found


def _bodies(random: Random) -> bytes:
    """Return what may stand in a frame."""
    forged = data.encode([single(random.randrange(1, 9), data.INBOUND, _forged())])
    return random.choice(
        (
            b"",
            forged,
            data.encode([]),
            data.encode([DataHello(KEY, 1, "0" * 64, 1)]),
            data.encode([DataHello(KEY, 1, OWN.token, 1)]),
            data.encode([DataHello(OTHER, 1, "schl\u00fcssel", 1)]),
            data.encode([Answer(random.randrange(9), True, b'{"id":"forged"}')]),
            VICTIM.name.encode(),
            OWN.name.encode(),
            OWN.routing_id,
            b"w" + random.randbytes(20),
            b"\0" + random.randbytes(4),
            random.randbytes(random.randrange(300)),
            b"\x91" * 2000,
        )
    )


def _forged() -> bytes:
    return payload(KEY, 1, text="forged")


def _parts(random: Random) -> bytes:
    return message(*(_bodies(random) for _ in range(random.randrange(1, 7))))


def _unfinished(random: Random) -> bytes:
    return b"".join(frame(_bodies(random), MORE) for _ in range(random.randrange(1, 5)))


def _commands(random: Random) -> bytes:
    names = (b"PING", b"PONG", b"ERROR", b"READY", b"HELLO", b"WELCOME", b"SUBSCRIBE", b"CANCEL")
    name = random.choice((*names, random.randbytes(random.randrange(1, 20))))
    return command(name, random.randbytes(random.randrange(40)))


def _lengths(random: Random) -> bytes:
    """Return a frame that promises another length than it has, or too large a one."""
    size = random.choice((0, 1, 255, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, 1 << 63))
    return bytes([random.choice((0, MORE, COMMAND)) | LONG]) + size.to_bytes(8) + b"x" * 40


def _flags(random: Random) -> bytes:
    """Return a frame whose flags are no flags."""
    body = _bodies(random)[:200]
    return bytes([random.randrange(256), len(body)]) + body


def _noise(random: Random) -> bytes:
    return random.randbytes(random.randrange(1, 400))


def _handshakes(random: Random) -> bytes:
    name = random.choice((VICTIM.name.encode(), OWN.name.encode(), b"\xff", b"", b"x" * 255))
    token = random.choice((b"", b"0" * 64, OWN.token.encode(), random.randbytes(64)))
    return random.choice(
        (
            hello(name, token),
            initiate(random.choice((VICTIM.name.encode(), b"", OWN.routing_id))),
            greeting(random.choice((b"NULL", b"PLAIN", b"CURVE", b"GSSAPI", b""))),
            command(b"HELLO", b"\xff" + name),
            command(b"INITIATE", b"\xff\xff\xff\xff"),
        )
    )


KINDS: dict[str, Callable[[Random], bytes]] = {
    "whole messages": lambda random: message(_bodies(random)),
    "messages of parts": _parts,
    "unfinished messages": _unfinished,
    "commands": _commands,
    "lengths": _lengths,
    "flags": _flags,
    "noise": _noise,
    "handshakes": _handshakes,
}
# What ends no connection comes more often, or nothing would follow it.
WEIGHTS = (6, 8, 4, 1, 1, 1, 1, 1)


async def _connection(path: str, random: Random, report: ZmtpReport) -> None:
    """Open one connection, as whoever is drawn, and send forged frames until it is closed."""
    report.connections += 1
    who = random.choice(("proven", "proven", "claims", "stranger", "null", "noise"))
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with RawPeer(path) as peer:
            if who in ("proven", "claims"):
                claimed = OWN.routing_id if who == "proven" else VICTIM.name.encode()
                await peer.prove(OWN, claimed)
            elif who == "stranger":
                await peer.send(greeting() + hello(VICTIM.name.encode(), b"0" * 64))
            elif who == "null":
                await peer.send(greeting(b"NULL") + initiate(VICTIM.name.encode()))
            for _ in range(FRAMES):
                kind = random.choices(tuple(KINDS), WEIGHTS)[0]
                report.frames[kind] += 1
                if not await peer.send(KINDS[kind](random)):
                    break
                if random.random() < 0.2:
                    await asyncio.sleep(0)


class _Victim:
    """The worker beside whom all of it happens."""

    def __init__(self, address: str, known: PeerCredentials) -> None:
        boot = WorkerBoot(KEY, 1, known.token, "", address, "", {}, "", "")
        self.said = 0
        self.calls = 0
        self.link = WorkerDataLink(boot, self._on_call, structlog.get_logger("victim"))
        self.link.open()

    def _on_call(self, call: Call, gateway: str) -> None:
        self.calls += 1
        self.link.answer(call.id, gateway, True, b'{"id":"1","chat":"x","ts":1}')

    async def say(self) -> None:
        """Say something now and then, for ever."""
        while True:
            self.said += 1
            self.link.post(payload(KEY, self.said), data.INBOUND)
            await asyncio.sleep(0.005)


async def run(frames: int, start: int) -> ZmtpReport:
    """Send ``frames`` forged frames; ``start`` is the seed."""
    report, random = ZmtpReport(), Random(start)
    async with gateway_rig(row(KEY), row(OTHER)) as rig, asyncio.TaskGroup() as tasks:
        watcher, client = await rig.watcher(), await rig.client()
        victim = _Victim(rig.parts.boot.data, VICTIM)
        await until(lambda: KEY in rig.parts.peers.by_key)
        saying = tasks.create_task(victim.say())
        hearing = tasks.create_task(_hear(watcher, report))
        before = 0
        while report.frames.total() < frames:
            await asyncio.gather(
                *(
                    _connection(rig.parts.boot.data, Random(random.random()), report)
                    for _ in range(AT_ONCE)
                )
            )
            if not before and report.frames.total() >= frames // 5:
                before = rss_bytes() or 0
        saying.cancel()
        await until(lambda: len(report.heard) >= victim.said)
        params = {"to": "x", "message": "y", "channel": "irc", "accountId": "libera"}
        for number in range(CALLS):
            await client.call("send", params | {"idempotencyKey": f"{os.getpid()}-{number}"})
        report.rss = before, rss_bytes() or 0
        report.said, report.answered = victim.said, victim.calls
        report.refused = rig.parts.data_link.report().handshakes_refused
        hearing.cancel()
        victim.link.close()
    return report


async def _hear(watcher: Client, report: ZmtpReport) -> None:
    while True:
        ((_, body),) = await take(watcher, 1)
        text = body["message"]["text"]
        report.forged += text == "forged"
        report.heard.append(text)
