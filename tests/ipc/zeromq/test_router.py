"""The end that is bound: order, limits, attacks, faults, on real sockets."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import zmq

from ipc.errors import FrameError, PeerGone
from ipc.zeromq.routing_ids import INCARNATIONS
from tests.support.links import PEER, FrameList, LinkRig, closing, credentials


async def test_frames_arrive_in_order_in_both_directions(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(seen)
        dealer = rig.dealer(back)
        for number in range(100):
            assert dealer.send(b"%d" % number)
        await seen.until(lambda frames: len(frames) == 100)
        assert seen.frames == [(PEER.encode(), b"%d" % number) for number in range(100)]
        assert router.send(PEER.encode(), b"answer")
        await back.until(lambda frames: b"answer" in frames)


async def test_drain_now_reads_what_is_queued_before_its_caller_goes_on(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(seen)
        dealer = rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        for number in range(100):
            dealer.send(b"%d" % number)
        deadline = time.monotonic() + 20
        while len(seen.frames) < 100 and time.monotonic() < deadline:
            assert router.drain_now()  # no await in between: the loop reads nothing for us
        assert len(seen.frames) == 100
        router.close()
        assert router.drain_now()


async def test_drain_now_ends_at_its_budget_and_the_loop_reads_the_rest(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        inside: list[bool] = []

        def curious(peer: bytes, body: bytes) -> None:
            inside.append(router.drain_now())
            seen(body)

        router = rig.router(curious)
        dealer = rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        for _ in range(50):
            dealer.send(bytes(1000))
        deadline = time.monotonic() + 20
        while router.drain_now(3000) and time.monotonic() < deadline:
            pass
        await seen.until(lambda frames: len(frames) == 50)
        assert not any(inside), "within on_frame it does nothing"


async def test_a_peer_that_is_not_there_is_told_at_once(rig: LinkRig) -> None:
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        with pytest.raises(PeerGone, match="irc:libera#1 is gone") as caught:
            router.send(PEER.encode(), b"x")
        assert not caught.value.maybe_executed


async def test_a_peer_that_left_is_gone(rig: LinkRig) -> None:
    with closing(rig):
        back = FrameList()
        router = rig.router(lambda peer, body: None)
        dealer = rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        assert router.send(PEER.encode(), b"x")
        dealer.close()
        async with asyncio.timeout(20):
            with suppress(PeerGone):
                while True:
                    assert router.send(PEER.encode(), b"x")
                    await asyncio.sleep(0)
        with pytest.raises(PeerGone):
            router.send(PEER.encode(), b"x")


async def test_a_peer_that_does_not_read_fills_only_its_own_queue(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(seen, hwm=10)
        deaf = rig.raw("deaf#1")
        deaf.setsockopt(zmq.RCVHWM, 1)
        deaf.send(b"hello")
        rig.dealer(back)
        await seen.until(lambda frames: (b"deaf#1", b"hello") in frames)
        await back.until(lambda frames: frames == [b""])
        tries = 0
        while router.send(b"deaf#1", bytes(10_000)):
            tries += 1
            assert tries < 10_000
        assert router.send(PEER.encode(), b"others still hear")
        await back.until(lambda frames: b"others still hear" in frames)
        deaf.close()


async def test_too_large_a_message_is_refused_before_it_breaks_the_link(rig: LinkRig) -> None:
    with closing(rig):
        back = FrameList()
        router = rig.router(lambda peer, body: None, max_bytes=100)
        dealer = rig.dealer(back, max_bytes=100)
        await back.until(lambda frames: frames == [b""])
        for send in (dealer.send, lambda body: router.send(PEER.encode(), body)):
            assert send(bytes(100))
            with pytest.raises(FrameError, match="101 bytes, at most 100"):
                send(bytes(101))


async def test_a_odd_with_too_large_a_message_is_cut_off_alone(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        rig.router(seen, max_bytes=1000)
        odd = rig.raw("odd#1")
        odd.send(bytes(1001))
        dealer = rig.dealer(back)
        await back.until(lambda frames: frames == [b""])
        dealer.send(b"mine")
        await seen.until(lambda frames: frames == [(PEER.encode(), b"mine")])
        odd.close()


def picky(seen: FrameList) -> Callable[[bytes, bytes], None]:
    """Take bodies that begin with ``proper``, as the product takes those that it can decode."""

    def on_frame(peer: bytes, body: bytes) -> None:
        if not body.startswith(b"proper"):
            raise FrameError("malformed")
        seen(peer, body)

    return on_frame


@pytest.mark.parametrize("parts", [[b"a", b"b"], [b"a", b"b", b"c"], [b"", b"a"], [b"a"] * 8])
async def test_a_message_of_several_parts_is_dropped_and_confuses_nothing(
    rig: LinkRig, parts: list[bytes]
) -> None:
    with closing(rig):
        seen, faults = FrameList(), FrameList()
        router = rig.router(picky(seen), on_error=faults)
        odd = rig.raw("odd#1")
        odd.send_multipart(parts)
        odd.send(b"proper")
        await seen.until(lambda frames: (b"odd#1", b"proper") in frames)
        odd.close()
        assert seen.frames == [(b"odd#1", b"proper")]
        assert router.errors == len(faults.frames) == 1
        assert isinstance(faults.frames[0], FrameError)
        assert faults.frames[0].peer == "odd#1"


ODD = credentials("odd#1").routing_id
VICTIM = credentials().routing_id
ATTACKS = {
    "a name": [b"\x90", PEER.encode(), b"proper forged"],
    "a name, right at the start": [PEER.encode(), b"proper forged"],
    "one's own id at the end: it takes the next one's id for its body": [b"proper own", ODD],
    "the same after nonsense": [b"a", ODD],
    "one's own id twice": [b"proper own", ODD, ODD],
    "one's own id and a message": [b"a", ODD, b"proper own"],
    "many parts": [b"proper own", *[b"proper forged"] * 9],
    "ids that nobody has": [b"a", b"w" + bytes(20), b"proper forged"],
    "empty parts": [b"", b"", PEER.encode(), b"", b"proper forged"],
    "what names a connection that was taken over": [b"\0abcd", b"proper forged"],
}


@pytest.mark.parametrize("parts", ATTACKS.values(), ids=ATTACKS.keys())
async def test_parts_are_never_taken_for_messages_of_another(
    rig: LinkRig, parts: list[bytes]
) -> None:
    """Between them the victim's own messages all arrive, in order."""
    with closing(rig):
        seen = FrameList()
        rig.router(picky(seen), on_error=lambda error: None)
        odd, victim = rig.raw("odd#1"), rig.raw(PEER)
        for number in range(50):
            for _ in range(number % 3):
                odd.send_multipart(parts)
            victim.send(b"proper %d" % number)
        own = [(PEER.encode(), b"proper %d" % number) for number in range(50)]
        heard = await seen.until(lambda frames: own[-1] in frames)
        odd.close()
        victim.close()
        assert [frame for frame in heard if frame[0] == PEER.encode()] == own
        assert {peer for peer, _ in heard} <= {PEER.encode(), b"odd#1"}


CLAIMS = {
    "its public name": PEER.encode(),
    "no id": b"",
    "one that nobody has": b"w" + bytes(20),
}


@pytest.mark.parametrize("claimed", CLAIMS.values(), ids=CLAIMS.keys())
async def test_a_proven_peer_takes_no_other_s_connection_over(rig: LinkRig, claimed: bytes) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(picky(seen), on_error=lambda error: None)
        victim = rig.dealer(back)
        victim.send(b"proper 1")
        await seen.until(lambda frames: len(frames) == 1)
        thief = rig.raw("odd#1", routing_id=claimed)
        thief.send(b"proper forged")
        await asyncio.to_thread(thief.poll, 5000)  # greeted: it is connected
        assert router.send(PEER.encode(), b"call")
        await back.until(lambda frames: b"call" in frames)
        victim.send(b"proper 2")
        await seen.until(lambda frames: len(frames) == 2)
        assert seen.frames == [(PEER.encode(), b"proper 1"), (PEER.encode(), b"proper 2")]
        assert thief.recv() == b""
        assert not thief.poll(0)
        thief.close()


def latest(peer: bytes, frames: list[Any]) -> bool:
    return bool(frames) and frames[-1][0] == peer


async def test_the_ids_of_long_ended_incarnations_are_forgotten(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen)
        for incarnation in range(1, 30):
            dealer = rig.dealer(lambda body: None, f"irc:libera#{incarnation}")
            dealer.send(b"x")
            await seen.until(partial(latest, b"irc:libera#%d" % incarnation))
            dealer.close()
        assert router.known == 1
        assert len(router._peers.names) == INCARNATIONS
        router.forget("irc:libera", 29)
        assert router.known == 0


async def test_a_router_that_is_bound_anew_is_found_again(rig: LinkRig) -> None:
    with closing(rig):
        seen, back = FrameList(), FrameList()
        router = rig.router(seen)
        dealer = rig.dealer(back)
        dealer.send(b"1")
        await seen.until(lambda frames: len(frames) == 1)
        router.rebind()
        await back.until(lambda frames: frames == [b"", b""])
        dealer.send(b"2")
        await seen.until(lambda frames: len(frames) == 2)
        assert router.send(PEER.encode(), b"answer")
        await back.until(lambda frames: b"answer" in frames)
        assert router.bytes_read >= 2
    assert list(rig.path.parent.iterdir()) == []


async def test_a_fault_in_a_callback_spoils_one_message(rig: LinkRig) -> None:
    with closing(rig):
        seen, faults, back = FrameList(), FrameList(), FrameList()

        def careless(peer: bytes, body: bytes) -> None:
            if body == b"bad":
                raise ValueError("cannot take it")
            if body == b"again":
                raise zmq.Again  # not ours: it must not look like an empty queue
            seen(body)

        router = rig.router(careless, on_error=faults)
        dealer = rig.dealer(back)
        for body in (b"1", b"bad", b"2", b"again", b"3"):
            dealer.send(body)
        await seen.until(lambda frames: frames == [b"1", b"2", b"3"])
        assert router.errors == 2
        assert [type(fault) for fault in faults.frames] == [ValueError, zmq.Again]


async def test_a_removed_socket_file_is_restored_and_no_connection_is_lost(
    rig: LinkRig,
) -> None:
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen)
        old = rig.dealer(lambda body: None)
        old.send(b"before")
        await seen.until(lambda frames: len(frames) == 1)
        rig.path.unlink()
        rig.dealer(lambda body: None, "irc:libera#2").send(b"new")
        await seen.until(lambda frames: (b"irc:libera#2", b"new") in frames)
        old.send(b"after")
        await seen.until(lambda frames: frames[-1] == (PEER.encode(), b"after"))
        assert router.send(PEER.encode(), b"still connected")
    assert list(rig.path.parent.iterdir()) == []


async def test_a_directory_that_was_removed_comes_back_too(rig: LinkRig) -> None:
    rig.path = rig.path.parent / "run" / "data.ipc"
    rig.address = f"ipc://{rig.path}"
    rig.path.parent.mkdir()
    with closing(rig):
        seen = FrameList()
        rig.router(seen)
        shutil.rmtree(rig.path.parent)
        rig.dealer(lambda body: None).send(b"x")
        await seen.until(lambda frames: len(frames) == 1)


async def test_an_old_binder_that_closes_late_leaves_the_new_one_its_file(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        old = rig.router(lambda peer, body: None)
        rig.router(seen)
        old.close()
        assert rig.path.is_socket()
        rig.dealer(lambda body: None).send(b"x")
        await seen.until(lambda frames: frames == [(PEER.encode(), b"x")])


async def test_a_peer_that_comes_back_early_takes_its_name_over(rig: LinkRig) -> None:
    """Its old connection has unread messages; without the handover it was ignored for ever."""
    with closing(rig):
        seen, faults = FrameList(), FrameList()
        router = rig.router(seen, hwm=10, on_error=faults)
        old = rig.raw(PEER)
        old.send(b"first")
        await seen.until(lambda frames: len(frames) == 1)
        loop = asyncio.get_running_loop()
        loop.remove_reader(router._fd)  # a router that does not get round to reading
        for _ in range(10):
            old.send(b"unread")
        back = FrameList()
        await asyncio.sleep(0)
        dealer = rig.dealer(back)
        dealer.send(b"mine")
        loop.add_reader(router._fd, router._drain)  # it reads again
        router._schedule_read()  # it reads again
        await seen.until(lambda frames: (PEER.encode(), b"mine") in frames)
        assert router.send(PEER.encode(), b"answer")
        await back.until(lambda frames: b"answer" in frames)
        assert all(isinstance(fault, FrameError) for fault in faults.frames)
        old.close()
