"""One socket on the loop: drained in turns, bound over what a crash left, closed for good."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from ipc.errors import EndpointError, PeerGone
from ipc.zeromq import socket as zmqsocket
from tests.support.links import PEER, FrameList, LinkRig, closing


async def test_a_socket_file_of_a_crash_is_replaced(rig: LinkRig) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(rig.path))
    left.close()
    assert rig.path.is_socket()
    with closing(rig):
        seen = FrameList()
        rig.router(seen)
        rig.dealer(lambda body: None).send(b"x")
        await seen.until(lambda frames: len(frames) == 1)
    assert list(rig.path.parent.iterdir()) == []


async def test_a_path_that_cannot_be_bound_is_named(rig: LinkRig, short_path: Path) -> None:
    rig.path.write_text("precious")
    with pytest.raises(EndpointError, match=r"data\.ipc: exists and is not a socket"):
        rig.router(lambda peer, body: None)
    assert rig.path.read_text() == "precious"
    rig.address = f"ipc://{short_path}/absent/data.ipc"
    with pytest.raises(EndpointError, match=r"absent/data\.ipc"):
        rig.router(lambda peer, body: None)
    rig.address = f"ipc://{short_path}/{'x' * 100}"
    with pytest.raises(EndpointError, match="too long"):
        rig.router(lambda peer, body: None)
    with pytest.raises(EndpointError, match="too long"):
        rig.dealer(lambda body: None)
    assert zmqsocket._context is None  # a context that stays would hang the exit, out of sight


async def test_closing_is_final_quick_and_repeatable(rig: LinkRig) -> None:
    """With messages queued on both sides and a look at the socket already scheduled."""
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        dealer = rig.dealer(lambda body: None)
        for _ in range(500):
            dealer.send(bytes(1000))
        begin = time.monotonic()
        for link in (dealer, router, dealer, router):
            link.close()
        assert time.monotonic() - begin < 1
        assert zmqsocket._context is None, "the context ends with its last socket"  # as above
        await asyncio.sleep(0)
        assert not dealer.send(b"x")
        with pytest.raises(PeerGone):
            router.send(PEER.encode(), b"x")
        assert not rig.path.exists()


async def test_answers_from_within_the_drain_do_not_stall(rig: LinkRig) -> None:
    """Sending consumes the edge of ZMQ_FD: forget to look again and this hangs."""
    with closing(rig):
        router = rig.router(lambda peer, body: answered.append(router.send(peer, body)))
        answered: list[bool] = []
        got: list[bytes] = []
        done = asyncio.get_running_loop().create_future()

        def bounce(body: bytes) -> None:
            got.append(body)
            if len(got) == 5000:
                done.set_result(None)
            elif not done.done():
                dealer.send(b"%d" % len(got))

        dealer = rig.dealer(bounce)
        async with asyncio.timeout(30):
            await done


async def test_a_flood_is_read_in_bounded_turns(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        rig.router(seen, byte_budget=10_000)
        dealer = rig.dealer(lambda body: None)
        for _ in range(900):
            assert dealer.send(bytes(1000))
        await seen.until(lambda frames: len(frames) > 0)
        worst, before = 0, len(seen.frames)
        while len(seen.frames) < 900:
            await asyncio.sleep(0)
            worst, before = max(worst, len(seen.frames) - before), len(seen.frames)
        assert worst <= 30  # the reader's drain and scheduled ones may share a turn


async def test_closing_within_a_callback_ends_the_drain(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()

        def last(peer: bytes, body: bytes) -> None:
            seen(body)
            router.close()

        router = rig.router(last)
        dealer = rig.dealer(lambda body: None)
        for _ in range(10):
            dealer.send(b"x")
        await seen.until(lambda frames: len(frames) > 0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen.frames == [b"x"]


async def test_an_exception_without_a_handler_goes_to_the_loop(rig: LinkRig) -> None:
    with closing(rig):
        told = FrameList()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told(context))
        back = FrameList()

        def careless(body: bytes) -> None:
            back(body)
            raise ValueError("cannot take it")

        rig.router(lambda peer, body: None)
        dealer = rig.dealer(careless)
        await told.until(lambda frames: len(frames) == 1)
        assert dealer.errors == 1
        assert "cannot take it" in told.frames[0]["message"]
