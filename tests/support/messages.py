"""Messages through a gateway, sent by a worker of the test."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec

from ipc.frames.data import HISTORY, Ack, DataHello, Welcome
from ipc.identity.peer import PeerProof
from ipc.websocket.client import Client
from tests.support.gateway_rig import SECRET, GatewayRig, Worker, payload, single
from tests.support.until import PATIENCE

KEY = "irc:libera"


async def take(client: Client, count: int) -> list[tuple[str, Any]]:
    """Return name and payload of the next ``count`` of our own events."""
    found: list[tuple[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        async for event in client.events():
            if event.event.startswith(("channel.", "agent.")):
                found.append((event.event, msgspec.json.decode(cast(msgspec.Raw, event.payload))))
            if len(found) == count:
                break
    return found


async def acked(worker: Worker, seq: int) -> None:
    """Wait until the gateway has acknowledged a message."""
    while (await worker.next(Ack)).seq < seq:
        pass


def cursors(found: list[tuple[str, Any]]) -> list[str]:
    """Return the cursors of the messages among events."""
    return [body["cursor"] for name, body in found if name == "channel.message"]


def greet(worker: Worker, oldest: int, kept: int) -> None:
    """Send the hello of a worker that keeps acknowledged messages from ``kept`` to ``oldest``."""
    proof = PeerProof(SECRET).token(KEY, worker.incarnation)
    worker.send(DataHello(KEY, worker.incarnation, proof, oldest, kept))


def recall(worker: Worker, *seqs: int) -> None:
    """Send messages as history."""
    for seq in seqs:
        worker.send(single(seq, HISTORY, payload(KEY, seq)))


async def with_past(rig: GatewayRig, oldest: int, kept: int) -> tuple[Worker, Welcome]:
    """Return a worker that has messages of an earlier gateway, and its welcome."""
    worker = Worker(rig, KEY)
    rig.opened.append(worker)
    greet(worker, oldest, kept)
    return worker, await worker.next(Welcome)
