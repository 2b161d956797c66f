"""The end that connects: what waits without a router, and routers that come back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.links import PEER, FrameList, LinkRig, closing

ROOT = Path(__file__).parents[3]


async def test_each_new_connection_is_greeted(rig: LinkRig) -> None:
    with closing(rig):
        back = FrameList()
        first = rig.router(lambda peer, body: None)
        rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        first.close()
        rig.router(lambda peer, body: None)
        await back.until(lambda frames: frames == [b"", b""])


async def test_what_is_said_before_there_is_a_router_waits(rig: LinkRig) -> None:
    with closing(rig):
        dealer = rig.dealer(lambda body: None)
        assert dealer.send(b"early")
        seen = FrameList()
        rig.router(seen)
        await seen.until(lambda frames: frames == [(PEER.encode(), b"early")])


async def test_a_full_dealer_says_so_and_tells_when_there_is_room(rig: LinkRig) -> None:
    with closing(rig):
        room = FrameList()
        dealer = rig.dealer(lambda body: None, hwm=10, on_writable=lambda: room("room"))
        sent = 0
        while dealer.send(bytes(100)):
            sent += 1
        assert sent == 10
        assert not dealer.send(b"one too many")
        await asyncio.sleep(0)
        assert room.frames == []
        seen = FrameList()
        rig.router(seen)
        await room.until(lambda frames: frames == ["room"])
        assert dealer.send(b"again")
        await seen.until(lambda frames: len(frames) == 11)


async def test_an_exception_of_the_writable_callback_is_reported(rig: LinkRig) -> None:
    with closing(rig):
        faults = FrameList()

        def careless() -> None:
            raise ValueError("no")

        dealer = rig.dealer(lambda body: None, hwm=1, on_writable=careless, on_error=faults)
        while dealer.send(b"x"):
            pass
        rig.router(lambda peer, body: None)
        await faults.until(lambda frames: len(frames) == 1)


BINDER = """
    import asyncio, sys, uvloop
    from ipc.errors import PeerGone
    from ipc.identity.peer import PeerProof
    from ipc.zeromq.router import Router

    async def main():
        def echo(peer, body):
            try:
                router.send(peer, body)
            except PeerGone:
                pass
        router = Router(sys.argv[1], PeerProof(b"secret of the rig"), echo)
        print("bound", flush=True)
        await asyncio.Event().wait()

    uvloop.run(main())
"""


@contextmanager
def binder(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """A router in a process of its own, which echoes."""
    command = [sys.executable, "-c", textwrap.dedent(BINDER), address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"bound\n"
            yield process
        finally:
            process.kill()


async def test_a_killed_router_is_found_again(rig: LinkRig) -> None:
    with closing(rig):
        back = FrameList()
        with binder(rig.address):
            dealer = rig.dealer(back)
            dealer.send(b"before")
            await back.until(lambda frames: b"before" in frames)
        assert rig.path.is_socket(), "a killed process leaves its file"
        dealer.send(b"between")
        with binder(rig.address):
            await back.until(lambda frames: b"between" in frames)
            assert back.frames[-2:] == [b"", b"between"]


async def test_a_stopped_router_loses_nothing(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With heartbeats it did: the peers gave up the connection and what was queued in it."""
    monkeypatch.setattr("ipc.zeromq.dealer.HEARTBEAT_MS", 50)
    monkeypatch.setattr("ipc.zeromq.dealer.SILENCE_MS", 100)
    with closing(rig), binder(rig.address) as process:
        back = FrameList()
        dealer = rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        os.kill(process.pid, signal.SIGSTOP)
        sent = 0
        for _ in range(50):
            for _ in range(10):
                sent += dealer.send(b"%d" % sent)
            await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGCONT)
        await back.until(lambda frames: len(frames) == sent + 1)
        assert back.frames == [b"", *(b"%d" % number for number in range(sent))]
