"""What connections cost a bound socket whose peers keep no rule: raw ones, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial

import pytest
import zmq

from ipc.procfs import rss_bytes
from ipc.zeromq import binding, connection_table, connections, handshakes
from ipc.zeromq.router import Router
from tests.support.links import PEER, CountingProof, FrameList, LinkRig, closing, credentials
from tests.support.until import PATIENCE, until
from tests.support.zmtp import RawPeer, greeting, hello, initiate, message

MIB = 1 << 20
OWN = credentials()


def open_connections(router: Router) -> int:
    assert router._handshakes is not None  # no frame counts connections
    return len(router._handshakes.connections.table)  # no frame counts connections


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def once(rig: LinkRig) -> None:
    """Connect as a worker, say something, and leave; or be closed before that."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        async with RawPeer(rig.address) as peer:
            await peer.prove(OWN)
            await peer.send(message(b"text"))


async def test_ten_thousand_connections_of_one_worker_leave_nothing_behind(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen, on_error=lambda error: None)
        for _ in range(100):
            await once(rig)
        before, files_before = rss_bytes() or 0, files()
        for _ in range(10_000):
            await once(rig)
        await until(lambda: not open_connections(router))
        assert files() <= files_before
        assert (rss_bytes() or 0) - before < 3 * MIB
        assert len(seen.frames) >= 10_000 // 2, "but it was let in"


async def test_a_worker_that_holds_its_connections_has_one(rig: LinkRig) -> None:
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        async with contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(RawPeer(rig.address)) for _ in range(20)]
            for peer in peers:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await peer.prove(OWN)
            await until(lambda: open_connections(router) == 1)


EARLIER = [b"%04d" % number for number in range(500)]  # more than a socket keeps unread


@contextlib.asynccontextmanager
async def unread(rig: LinkRig, router: Router) -> AsyncIterator[RawPeer]:
    """Be a worker whose messages are not read, so that its connection cannot end."""
    async with RawPeer(rig.address) as peer:
        await peer.prove(OWN)
        asyncio.get_running_loop().remove_reader(router._fd)  # a router that is too busy to read
        await peer.send(b"".join(map(message, EARLIER)))
        yield peer
        assert await peer.closed()


def read_again(router: Router) -> None:
    asyncio.get_running_loop().add_reader(router._fd, router._drain)  # it reads again
    router._schedule_read()  # it reads again


@pytest.mark.parametrize("waiting", [2, 3, 8])
async def test_those_that_wait_for_the_same_connection_come_one_by_one(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """Two at once under one routing id leave the file of the first, for ever."""
    monkeypatch.setattr(handshakes, "WAIT_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "UNPROVEN_SECONDS", PATIENCE)
    with closing(rig):
        seen, proof = FrameList(), CountingProof()
        router = rig.router(seen, proof=proof, hwm=10, on_error=lambda error: None)
        last = [(PEER.encode(), b"%d" % (waiting - 1))] * 3
        async with unread(rig, router), contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(RawPeer(rig.address)) for _ in range(waiting)]
            for peer in peers:
                await peer.send(greeting() + hello(OWN.name.encode(), OWN.token.encode()))
            await until(lambda: proof.asked == 1 + waiting)
            read_again(router)
            for peer in peers:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await peer.reader.readuntil(b"\x07WELCOME")
                    await peer.send(initiate(OWN.routing_id))
                    await peer.reader.readuntil(b"\x05READY")
            for number, peer in enumerate(peers):
                await peer.send(message(b"%d" % number) * 3)
            await seen.until(lambda frames: frames[-3:] == last)
        await until(lambda: not open_connections(router))


async def test_a_worker_gets_in_once_its_earlier_connection_is_read_however_late(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then its socket asks again and again."""
    monkeypatch.setattr(handshakes, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(connections, "UNPROVEN_SECONDS", 0.5)
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.05)
    with closing(rig):
        seen, greeted, proof = FrameList(), FrameList(), CountingProof()
        router = rig.router(seen, proof=proof, hwm=10)
        later = (PEER.encode(), b"later")
        async with unread(rig, router):
            rig.dealer(greeted).send(b"later")
            await until(lambda: proof.asked >= 4)
            assert not greeted.frames
            read_again(router)
            frames = await seen.until(lambda frames: later in frames)
        assert frames == [*((PEER.encode(), body) for body in EARLIER), later]
        await until(lambda: open_connections(router) == 1)


async def test_what_the_earlier_connection_had_sent_comes_first(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen, hwm=10, byte_budget=1000)
        async with RawPeer(rig.address) as earlier, RawPeer(rig.address) as later:
            await earlier.prove(OWN)
            await earlier.send(b"".join(message(b"%04d" % number) for number in range(500)))
            await later.prove(OWN)
            await later.send(message(b"later"))
            frames = await seen.until(lambda frames: (PEER.encode(), b"later") in frames)
            assert await earlier.closed()
        assert frames == [(PEER.encode(), b"%04d" % n) for n in range(500)] + [frames[-1]]
        assert router.known == 1


BEGINNINGS = {
    "nothing": b"",
    "half a greeting": greeting()[:20],
    "a greeting": greeting(),
    "half a hello": greeting() + hello(OWN.name.encode(), OWN.token.encode())[:30],
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_a_handshake_that_is_never_finished_ends(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(connections, "UNPROVEN_SECONDS", 0.2)
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.05)
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        async with RawPeer(rig.address) as peer:
            await peer.send(beginning)
            await until(lambda: open_connections(router) == 1)
            assert await peer.closed()
        await until(lambda: open_connections(router) == 0)


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_half_open_connections_end(rig: LinkRig, beginning: bytes) -> None:
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        async with RawPeer(rig.address) as peer:
            await peer.send(beginning)
            peer.writer.write_eof()
            assert await peer.closed()
        await until(lambda: open_connections(router) == 0)


@pytest.mark.timeout(60)
async def test_ten_thousand_unfinished_handshakes_take_few_files_and_hold_no_worker_up(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_UNPROVEN", 50)
    monkeypatch.setattr(connection_table, "CROWD_SHARE", 1)
    monkeypatch.setattr(binding, "HIDDEN_SECONDS", 0.005)
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen)
        dealer = rig.dealer(lambda body: None)
        dealer.send(b"0")
        await seen.until(lambda frames: len(frames) == 1)
        most, before = 0, rss_bytes() or 0
        for number in range(1, 101):
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(100):
                    peer = await stack.enter_async_context(RawPeer(rig.address))
                    peer.writer.write(greeting())
                dealer.send(str(number).encode())
                await seen.until(partial(has_come, number))
                await until(lambda: open_connections(router) <= 51)
                most = max(most, open_connections(router))
        await until(lambda: open_connections(router) == 1)
        assert most > 1
        assert (rss_bytes() or 0) - before < 8 * MIB
        assert [body for _, body in seen.frames] == [str(n).encode() for n in range(101)]


def has_come(number: int, frames: list[tuple[bytes, bytes]]) -> bool:
    return frames[-1][1] == str(number).encode()


OFFERS = {
    "NULL": greeting(b"NULL"),
    "CURVE": greeting(b"CURVE"),
    "GSSAPI": greeting(b"GSSAPI"),
    "no mechanism": greeting(b""),
    "PLAIN, but no hello": greeting() + initiate(b"x"),
}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_what_offers_another_mechanism_is_counted_and_named(
    rig: LinkRig, offer: bytes
) -> None:
    with closing(rig):
        warned = FrameList()
        router = rig.router(lambda peer, body: None, on_warning=warned)
        async with RawPeer(rig.address) as peer:
            await until(lambda: open_connections(router) == 1)
            await peer.send(offer)
            assert await peer.closed()
        await until(lambda: router.refused == 1)
        assert f"a handshake of process {os.getpid()} was refused" in warned.frames[0]


async def test_a_worker_that_comes_and_goes_is_no_refusal(rig: LinkRig) -> None:
    with closing(rig):
        router, seen = rig.router(lambda peer, body: None), FrameList()
        for _ in range(5):
            dealer = rig.dealer(seen)
            await seen.until(lambda frames: b"" in frames)
            dealer.close()
            seen.frames.clear()
        await until(lambda: not open_connections(router))
        assert router.refused == 0


async def test_connections_are_followed_over_a_new_binding(rig: LinkRig) -> None:
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        back = FrameList()
        rig.dealer(back)
        await back.until(lambda frames: len(frames) == 1)
        await until(lambda: open_connections(router) == 1)
        router.rebind()
        assert open_connections(router) == 0
        await back.until(lambda frames: len(frames) == 2)
        await until(lambda: open_connections(router) == 1)


async def test_what_is_another_file_by_now_is_left_alone(rig: LinkRig) -> None:
    """ZeroMQ closes a connection before it reports that, and its number is free then."""
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        assert router._handshakes is not None  # no frame counts connections
        found, before = router._handshakes.connections, files()  # as above
        fd = os.eventfd(0)
        found._on_event(zmq.EVENT_ACCEPTED, fd)  # an event that libzmq sends rarely
        found.table.on_opened(fd, os.getpid(), 0.0)
        found.end([fd])
        os.eventfd_write(fd, 1)
        os.close(fd)
        assert files() == before
