"""Who gets past the handshake of a bound socket: raw sockets without any of our rules."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
import zmq

from ipc.zeromq import handshakes
from ipc.zeromq.connections import Connections
from ipc.zeromq.router import Router
from tests.support.links import PEER, CountingProof, FrameList, LinkRig, closing, credentials
from tests.support.until import until

TOKEN = credentials().token.encode()
GIVEN = {
    "a wrong token": (b"irc:libera#1", b"0" * 64),
    "the token of another": (b"irc:other#1", TOKEN),
    "a token that is no ASCII": (b"irc:libera#1", "schl\u00fcssel".encode()),
    "a name that is no text": (b"\xff\xfe", TOKEN),
    "a name of another shape": (b"irc:libera", TOKEN),
    "a name in which a line ends": (b"irc:libera#1\nforged", TOKEN),
}


def stranger(rig: LinkRig, given: tuple[bytes, bytes] | None) -> zmq.Socket[bytes]:
    """A socket with these credentials, or with none at all, under a worker's routing id."""
    raw: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    raw.setsockopt(zmq.LINGER, 0)
    raw.setsockopt(zmq.ROUTING_ID, credentials().routing_id)
    if given is not None:
        raw.setsockopt(zmq.PLAIN_USERNAME, given[0])
        raw.setsockopt(zmq.PLAIN_PASSWORD, given[1])
    raw.connect(rig.address)
    rig.raws.append(raw)
    return raw


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN.keys())
async def test_what_proves_nothing_is_refused_and_counted(
    rig: LinkRig, given: tuple[bytes, bytes]
) -> None:
    with closing(rig):
        seen, warned = FrameList(), FrameList()
        router = rig.router(seen, on_warning=warned)
        other = stranger(rig, given)
        other.send(b"forged")
        await until(lambda: router.refused == 1)
        rig.dealer(lambda body: None).send(b"mine")
        await seen.until(lambda frames: len(frames) > 0)
        assert seen.frames == [(PEER.encode(), b"mine")]
        assert not other.poll(0), "it is not even greeted"
        assert len(warned.frames) == 1
        assert given[0].decode(errors="replace") not in warned.frames[0]
        other.close()


async def test_a_peer_without_credentials_is_not_heard(rig: LinkRig) -> None:
    with closing(rig):
        seen = FrameList()
        rig.router(seen)
        other = stranger(rig, None)
        other.send(b"forged")
        rig.dealer(lambda body: None).send(b"mine")
        await seen.until(lambda frames: len(frames) > 0)
        assert seen.frames == [(PEER.encode(), b"mine")]
        other.close()


async def test_refusals_are_told_seldom_and_with_their_number(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "LOG_SECONDS", 0.5)
    with closing(rig):
        warned = FrameList()
        router = rig.router(lambda peer, body: None, on_warning=warned)
        for count in (1, 2, 3):
            stranger(rig, (b"x#1", b"y"))
            await until(partial(has_refused, router, count))
        assert len(warned.frames) < 3
        await asyncio.sleep(0.5)
        stranger(rig, (b"x#1", b"y"))
        await warned.until(lambda lines: "since the last line" in lines[-1])


def has_refused(router: Router, count: int) -> bool:
    return router.refused == count


async def test_an_answer_that_comes_late_is_in_time(rig: LinkRig) -> None:
    """While the loop is busy a worker waits; it is not refused for that."""
    with closing(rig):
        seen = FrameList()
        router = rig.router(seen)
        assert router._handshakes is not None  # what waits shows nowhere else
        loop, asked = asyncio.get_running_loop(), router._handshakes
        await asyncio.sleep(0)  # it has looked once
        loop.remove_reader(asked._fd)
        rig.dealer(lambda body: None).send(b"mine")
        await asyncio.sleep(0.3)
        assert seen.frames == []
        loop.add_reader(asked._fd, asked._drain)  # it reads again
        asked._schedule_read()  # it reads again
        await seen.until(lambda frames: frames == [(PEER.encode(), b"mine")])


async def test_a_router_closes_with_a_handshake_unanswered(rig: LinkRig) -> None:
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        assert router._handshakes is not None  # what waits shows nowhere else
        asyncio.get_running_loop().remove_reader(router._handshakes._fd)  # it is too busy to read
        rig.dealer(lambda body: None).send(b"x")
        await asyncio.sleep(0.1)
        router.close()
        assert not rig.path.exists()


async def test_a_peer_that_has_waited_too_long_is_put_off_and_forgotten(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them: uvloop fires up to half a millisecond early."""
    monkeypatch.setattr(handshakes, "WAIT_SECONDS", 0.0132)
    monkeypatch.setattr(Connections, "end", lambda connections, fds: None)
    with closing(rig):
        seen, proof = FrameList(), CountingProof()
        router = rig.router(seen, proof=proof)
        stranger(rig, (PEER.encode(), TOKEN)).send(b"earlier")
        await seen.until(lambda frames: len(frames) == 1)
        for number in range(2, 32):
            stranger(rig, (PEER.encode(), TOKEN)).send(b"later")
            await until(partial(has_put_off, router, proof, number))
        assert len(seen.frames) == 1
        assert router.refused == 0, "it may ask again"


async def test_few_peers_of_one_name_wait_and_the_latest_is_admitted(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is looked at whenever a connection ends."""
    end = Connections.end
    monkeypatch.setattr(Connections, "end", lambda connections, fds: None)
    with closing(rig):
        seen, proof = FrameList(), CountingProof()
        router = rig.router(seen, proof=proof)
        assert router._handshakes is not None  # what waits shows nowhere else
        first = stranger(rig, (PEER.encode(), TOKEN))
        first.send(b"earlier")
        await seen.until(lambda frames: len(frames) == 1)
        for number in range(2, 32):
            last = stranger(rig, (PEER.encode(), TOKEN))
            await until(partial(has_asked, proof, number))
        last.send(b"latest")
        # What waits shows nowhere else.
        assert len(router._handshakes._waiting) == handshakes.MOST_WAITING
        monkeypatch.setattr(Connections, "end", end)
        for raw in rig.raws[:-1]:
            raw.close()
        await seen.until(lambda frames: frames[-1] == (PEER.encode(), b"latest"))
        assert router.refused == 0


def has_asked(proof: CountingProof, count: int) -> bool:
    return proof.asked == count


def has_put_off(router: Router, proof: CountingProof, count: int) -> bool:
    assert router._handshakes is not None  # what waits shows nowhere else
    return proof.asked == count and not router._handshakes._waiting  # as above
