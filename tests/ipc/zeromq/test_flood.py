"""What a process notices of messages that never end, and what it does then."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from ipc.errors import PeerGone
from ipc.procfs import rss_bytes
from ipc.zeromq import flood
from ipc.zeromq.flood import FloodGuard, Growth
from tests.support.links import PEER, FrameList, LinkRig, closing, credentials
from tests.support.until import until
from tests.support.zmtp import MORE, RawPeer, come_and_go, frame, greeting, hello

MIB = 1 << 20


@pytest.mark.parametrize(
    ("looks", "excess"),
    [
        ([(50, 0), (60, 0), (70, 0)], 20),
        ([(50, 0), (90, 40)], 0),  # what was read may stay
        ([(50, 0), (50, 40), (90, 40)], 40),  # what was read before explains nothing later
        ([(50, 0), (90, 0), (60, 0)], 10),  # what was given back is gone
        ([(50, 0), (20, 0), (40, 0)], 20),
        ([(50, 30), (50, 0), (60, 0)], 10),  # what explains it only grows
        ([(50, 0)], 0),
    ],
)
def test_growth_is_what_reading_does_not_explain(looks: list[tuple[int, int]], excess: int) -> None:
    growth = Growth()
    for rss, explained in looks:
        found = growth.record(rss, explained)
    assert found == excess
    growth.restart(10)
    assert growth.record(10, looks[-1][1]) == 0


@pytest.mark.parametrize("size", [900_000, 30_000], ids=["large parts", "small parts"])
async def test_a_message_without_end_is_ended_and_its_memory_given_back(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.05)
    with closing(rig):
        seen, back, warned, rebound = FrameList(), FrameList(), FrameList(), FrameList()
        router = rig.router(seen)
        guard = FloodGuard(router, lambda: rebound("bound"), warned)
        dealer = rig.dealer(back)
        dealer.send(b"before")
        await seen.until(lambda frames: len(frames) == 1)
        before = rss_bytes() or 0
        async with RawPeer(rig.address) as hog:
            await hog.prove(credentials("odd#1"))
            part = frame(bytes(size), MORE)
            for _ in range(400 * MIB // size):
                if not await hog.send(part):
                    break
        await until(lambda: guard.floods)
        assert "link flooded" in warned.frames[0]
        assert rebound.frames[0] == "bound"
        assert (rss_bytes() or 0) - before < 100 * MIB
        await back.until(lambda frames: frames.count(b"") >= 2)
        dealer.send(b"after")
        await seen.until(lambda frames: frames[-1] == (PEER.encode(), b"after"))
        guard.close()


async def test_a_worker_that_comes_and_goes_costs_the_others_no_new_connection(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its connections takes memory until it is read, which a busy loop does late."""
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(flood, "LIMIT_BYTES", 8 * MIB)
    with closing(rig):
        seen, back, rebound, looks = FrameList(), FrameList(), FrameList(), FrameList()

        def rss() -> int | None:
            looks(found := rss_bytes())
            return found

        router = rig.router(seen)
        guard = FloodGuard(router, lambda: rebound("bound"), lambda text: None, rss=rss)
        dealer = rig.dealer(back)
        await looks.until(lambda frames: len(frames) > 0)
        for number in range(5):
            await until(rig.path.exists)
            come_and_go(rig.path, credentials("irc:other#1"), 1000)
            dealer.send(b"%d" % number)
            await seen.until(partial(has_come, number))
        await until(rig.path.exists)
        assert max(looks.frames) - looks.frames[0] > 10 * MIB
        assert (rebound.frames, back.frames) == ([], [b""])
        assert list(router.reconnecting) == ["irc:other#1"]
        guard.close()


def has_come(number: int, frames: list[tuple[bytes, bytes]]) -> bool:
    return bool(frames) and frames[-1][1] == b"%d" % number


async def test_growth_of_another_cause_is_no_flood_and_noticed_once(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.01)
    with closing(rig):
        rss, rebound, warned = [50 * MIB], FrameList(), FrameList()
        guard = FloodGuard(
            rig.router(lambda peer, body: None),
            lambda: rebound("bound"),
            warned,
            rss=lambda: rss[0],
        )
        await asyncio.sleep(0.05)
        rss[0] = 200 * MIB
        await rebound.until(lambda frames: len(frames) == 1)
        await asyncio.sleep(0.1)
        assert (len(rebound.frames), warned.frames, guard.floods) == (1, [], 0)
        guard.close()


async def test_what_others_hold_is_not_held_against_the_link(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.01)
    with closing(rig):
        rss, held, rebound = [50 * MIB], [0], FrameList()
        guard = FloodGuard(
            rig.router(lambda peer, body: None),
            lambda: rebound("bound"),
            lambda text: None,
            held=lambda: held[0],
            rss=lambda: rss[0],
        )
        await asyncio.sleep(0.05)
        rss[0], held[0] = 200 * MIB, 150 * MIB
        await asyncio.sleep(0.1)
        held[0] = 0  # given back to the heap, which keeps it
        await asyncio.sleep(0.1)
        assert rebound.frames == []
        guard.close()


async def test_a_closed_router_is_left_alone(rig: LinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.01)
    with closing(rig):
        rss = [50 * MIB]
        router = rig.router(lambda peer, body: None)
        guard = FloodGuard(router, lambda: None, lambda text: None, rss=lambda: rss[0])
        await asyncio.sleep(0.05)
        router.close()
        rss[0] = 500 * MIB
        await asyncio.sleep(0.05)
        with pytest.raises(PeerGone):
            router.send(PEER.encode(), b"x")
        guard.close()


async def test_the_memory_of_refused_handshakes_is_returned(
    rig: LinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(flood, "REFUSALS", 3)
    trimmed = FrameList()
    monkeypatch.setattr(flood, "trim_heap", lambda: trimmed("trimmed"))
    with closing(rig):
        router = rig.router(lambda peer, body: None)
        guard = FloodGuard(router, lambda: None, lambda text: None)
        for count in (1, 2, 3, 4):
            async with RawPeer(rig.address) as stranger:
                await stranger.send(greeting() + hello(b"x#1", b"y"))
                await until(lambda count=count: router.refused == count)  # type: ignore[misc]
            await asyncio.sleep(0.1)
            assert len(trimmed.frames) == count // 3
        guard.close()
