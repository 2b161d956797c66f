"""ZeroMQ links in one directory, which a test makes and closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from ipc.identity.peer import PeerCredentials, PeerProof, parse_peer
from ipc.zeromq.dealer import Dealer
from ipc.zeromq.router import Router

SECRET = b"secret of the rig"
PROOF = PeerProof(SECRET)
PEER = "irc:libera#1"


def credentials(name: str = PEER) -> PeerCredentials:
    """Return what a peer of the rig connects with."""
    return PROOF.credentials(*parse_peer(name.encode()))


class CountingProof(PeerProof):
    """The proof of the rig; ``asked`` counts the handshakes that it has verified."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.asked = 0

    def verify(self, name: bytes, token: bytes) -> PeerCredentials | None:
        self.asked += 1
        return super().verify(name, token)


class FrameList:
    """Collects frames; ``until`` waits for a condition on them."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self._news = asyncio.Event()

    def __call__(self, *frame: Any) -> None:
        self.frames.append(frame[0] if len(frame) == 1 else frame)
        self._news.set()

    async def until(self, true: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(20):
            while not true(self.frames):
                self._news.clear()
                await self._news.wait()
        return self.frames


class LinkRig:
    """Makes links in one directory and closes them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path / "data.ipc"
        self.address = f"ipc://{self.path}"
        self.links: list[Router | Dealer] = []
        self.raws: list[zmq.Socket[bytes]] = []

    def router(
        self, on_frame: Callable[[bytes, bytes], None], *, proof: PeerProof = PROOF, **options: Any
    ) -> Router:
        link = Router(self.address, proof, on_frame, **options)
        self.links.append(link)
        return link

    def dealer(self, on_frame: Callable[[bytes], None], name: str = PEER, **options: Any) -> Dealer:
        link = Dealer(self.address, credentials(name), on_frame, **options)
        self.links.append(link)
        return link

    def raw(self, name: str, *, routing_id: bytes | None = None) -> zmq.Socket[bytes]:
        """A socket that authenticates, and follows no other rule."""
        proven = credentials(name)
        raw: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        raw.setsockopt(zmq.LINGER, 0)
        raw.setsockopt(zmq.PLAIN_USERNAME, proven.name.encode())
        raw.setsockopt(zmq.PLAIN_PASSWORD, proven.token.encode())
        if claimed := proven.routing_id if routing_id is None else routing_id:
            raw.setsockopt(zmq.ROUTING_ID, claimed)
        self.raws.append(raw)
        raw.connect(self.address)
        return raw


@contextmanager
def closing(rig: LinkRig) -> Iterator[None]:
    try:
        yield
    finally:
        for link in rig.links:
            link.close()
        for raw in rig.raws:
            raw.close()
        zmq.Context.instance().term()


def bodies(frames: list[Any]) -> list[bytes]:
    """The bodies of the frames, without the router's greetings."""
    return [frame for frame in frames if frame]
