"""Sends forged ZMTP frames of every kind to a link, in a process of its own, as an account would.

    python -m tests.fuzz.zmtp_attacker ADDRESS FRAMES SEED

A connection is a stranger's or a proven worker's; it sends drawn bytes until it is closed or has
said enough. Prints as JSON how many frames of each kind it sent, over how many connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from random import Random

from ipc.frames import control, data
from ipc.frames.data import Answer, DataHello
from ipc.identity.peer import PeerProof
from tests.support.gateway_rig import SECRET, payload, single
from tests.support.messages import KEY
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

OTHER = "irc:oftc"
PROOF = PeerProof(SECRET)
OWN = PROOF.credentials(OTHER, 1)
VICTIM = PROOF.credentials(KEY, 1)
FRAMES = 25  # of one connection
AT_ONCE = 8  # connections
CONNECTIONS = "connections"


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
            data.encode([DataHello(OTHER, 1, OWN.token, 1)]),
            data.encode([DataHello(OTHER, 1, "schl\u00fcssel", 1)]),
            data.encode([Answer(random.randrange(9), True, b'{"id":"forged"}')]),
            control.encode([control.ControlHello(KEY, 1, OWN.token, 1)]),
            control.encode([control.ControlHello(OTHER, 1, OWN.token, 1)]),
            control.encode([control.ControlHello(OTHER, 2, OWN.token, 1)]),
            control.encode([control.StatusPatch({"detail": "forged"})]),
            control.encode([control.WorkerReady(), control.Drained(), control.Pong(1)]),
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


async def _connection(address: str, random: Random, sent: Counter[str]) -> None:
    """Open one connection, as whoever is drawn, and send forged frames until it is closed."""
    sent[CONNECTIONS] += 1
    who = random.choice(("proven", "proven", "claims", "stranger", "null", "noise"))
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with RawPeer(address) as peer:
            if who in ("proven", "claims"):
                claimed = OWN.routing_id if who == "proven" else VICTIM.name.encode()
                await peer.prove(OWN, claimed)
            elif who == "stranger":
                await peer.send(greeting() + hello(VICTIM.name.encode(), b"0" * 64))
            elif who == "null":
                await peer.send(greeting(b"NULL") + initiate(VICTIM.name.encode()))
            for _ in range(FRAMES):
                kind = random.choices(tuple(KINDS), WEIGHTS)[0]
                sent[kind] += 1
                if not await peer.send(KINDS[kind](random)):
                    break
                if random.random() < 0.2:
                    await asyncio.sleep(0)


async def attack(address: str, frames: int, random: Random) -> Counter[str]:
    """Send so many frames; return how many of each kind, and the connections beside them."""
    sent: Counter[str] = Counter()
    while sent.total() - sent[CONNECTIONS] < frames:
        await asyncio.gather(
            *(_connection(address, Random(random.random()), sent) for _ in range(AT_ONCE))
        )
    return sent


if __name__ == "__main__":
    print(json.dumps(asyncio.run(attack(sys.argv[1], int(sys.argv[2]), Random(sys.argv[3])))))
