"""ZeroMQ links in one directory, which a test makes and closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq

from ipc.zeromq.link import Dealer, Router

PEER = "irc:libera#1"


class FrameList:
    """Takes frames; ``until`` waits for what a test wants to see."""

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

    def router(self, on_frame: Callable[[bytes, bytes], None], **options: Any) -> Router:
        link = Router(self.address, on_frame, **options)
        self.links.append(link)
        return link

    def dealer(
        self, on_frame: Callable[[bytes], None], identity: str = PEER, **options: Any
    ) -> Dealer:
        link = Dealer(self.address, identity, on_frame, **options)
        self.links.append(link)
        return link

    def raw(self, identity: bytes) -> zmq.Socket[bytes]:
        """A socket that keeps none of our rules."""
        raw: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        raw.setsockopt(zmq.LINGER, 0)
        raw.setsockopt(zmq.ROUTING_ID, identity)
        raw.connect(self.address)
        return raw


@contextmanager
def closing(rig: LinkRig) -> Iterator[None]:
    try:
        yield
    finally:
        for link in rig.links:
            link.close()
        zmq.Context.instance().term()


def bodies(frames: list[Any]) -> list[bytes]:
    """Without the router's greetings."""
    return [frame for frame in frames if frame]
