"""Echoes what comes over a link: the other end of the question ``links``.

python -m bench.systems.link_echo zmq|unix PATH
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

from ipc.identity.peer import PeerProof
from ipc.zeromq.dealer import Dealer

PROOF = PeerProof(b"of both ends")


class Echo(asyncio.Protocol):
    """A unix stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop: the other end is gone."""
        sys.exit(0)


async def main(kind: str, path: str) -> None:
    """Connect and echo."""
    loop = asyncio.get_running_loop()
    if kind == "unix":
        await loop.create_unix_connection(Echo, path)
    else:

        def back(body: bytes) -> None:
            if body:  # an empty one is the router's greeting
                dealer.send(body)

        dealer = Dealer(f"ipc://{path}", PROOF.credentials("echo", 1), back)
        dealer.send(b"here")
    await loop.create_future()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
