"""The link to agents: a real gateway and real workers, over what dies, floods and lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from ipc.frames import data
from ipc.frames.data import (
    PACK_BYTES,
    Refused,
    TurnAck,
    TurnBegin,
    TurnCancel,
    TurnEvents,
    Welcome,
)
from ipc.identity.peer import PeerProof
from runtime.gateway.runs.turn_carrier import name_of
from runtime.gateway.runs.turn_table import ResumedTurn
from runtime.gateway.runs.turns import (
    EVENTS_A_TURN,
    TurnLink,
    packs_of_turns,
    without_repeats,
)
from tests.support.controllable_agent import AGENT
from tests.support.gateway_rig import SECRET, GatewayRig, gateway_rig, row
from tests.support.turns import begin, in_ms, turn_of
from tests.support.until import PATIENCE, until
from workers.agent import Delta, Final, TurnEvent, TurnOutcome
from workers.testing.agent_process import AgentProcess

KEY = "agent:test"


class Caller:
    """Whoever begins a turn; acknowledges at once, unless the test does."""

    def __init__(self, turns: TurnLink, run: str = "run-1", *, acknowledges: bool = True) -> None:
        self.turns, self.run, self.acknowledges = turns, run, acknowledges
        self.incarnations: list[int] = []
        self.events: list[TurnEvent] = []
        self.last = 0
        self.outcomes: list[TurnOutcome] = []
        self.deaths: list[bool] = []

    def on_sent(self, incarnation: int) -> None:
        self.incarnations.append(incarnation)

    def on_events(self, events: list[TurnEvent], last: int) -> None:
        self.events += events
        self.last = last
        if self.acknowledges:
            self.turns.acknowledge(self.run, last)

    def on_end(self, outcome: TurnOutcome, seq: int) -> None:
        self.outcomes.append(outcome)
        self.last = seq
        if self.acknowledges:
            self.turns.acknowledge(self.run, seq)

    def on_death(self, seen: bool) -> None:
        self.deaths.append(seen)

    @property
    def text(self) -> str:
        return "".join(each.text for each in self.events if isinstance(each, Delta))

    async def until(self, what: str) -> None:
        await until(lambda: getattr(self, what))


def start(turns: TurnLink, text: str, run: str = "run-1", *, key: str = KEY, **more: Any) -> Caller:
    """Begin a turn and return who follows it."""
    acknowledges = more.pop("acknowledges", True)
    caller = Caller(turns, run, acknowledges=acknowledges)
    turns.begin(key, turn_of(text, run, **more), caller)
    return caller


def process_for(rig: GatewayRig, place: Path, incarnation: int = 1) -> AgentProcess:
    proof = PeerProof(SECRET)
    address = rig.parts.boot.data
    return AgentProcess(
        AGENT, {}, data=address, proof=proof, directory=place, incarnation=incarnation
    )


@asynccontextmanager
async def agent(rig: GatewayRig, place: Path, incarnation: int = 1) -> AsyncIterator[AgentProcess]:
    """Run an agent in a process, reported as running."""
    process = process_for(rig, place, incarnation)
    try:
        await process.ready()
        await rig.report(row(KEY, incarnation=incarnation))
        yield process
    finally:
        process.close()


async def test_turns_run_in_a_real_process_and_a_kill_is_told(short_path: Path) -> None:
    """One process for several facts: each costs a second where the host is busy."""
    async with gateway_rig() as rig:
        turns = rig.parts.turns
        early = start(turns, "count 2", "early")  # waits until the agent is there
        assert (len(turns), turns.incarnation_of(KEY), early.incarnations) == (1, 0, [])
        async with agent(rig, short_path) as process:
            await early.until("outcomes")
            assert early.outcomes == [TurnOutcome("final", Final("0 1 "))]
            assert (early.text, early.incarnations) == ("0 1 ", [1])

            stuck = start(turns, "notices", "stuck", acknowledges=False)
            await stuck.until("events")
            hanging = start(turns, "hang", "hanging")
            cancelled = start(turns, "hang", "cancelled")
            seen = start(turns, "hang first", "seen")
            unsaid = start(turns, "hang first", "unsaid", acknowledges=False)
            late = start(turns, "hang", "late", seconds=0.3)
            await seen.until("events")
            await unsaid.until("events")
            turns.cancel("cancelled")
            await cancelled.until("outcomes")
            assert cancelled.outcomes == [TurnOutcome("aborted")]
            await late.until("outcomes")
            assert late.outcomes == [TurnOutcome("timeout")]

            size = sum(len(msgspec.json.encode(each)) for each in stuck.events)
            assert size < 64 * 1024 + 1000, "the credit stops the agent"
            turns.acknowledge("stuck", stuck.last)
            before = len(stuck.events)
            await until(lambda: len(stuck.events) > before)

            await asyncio.to_thread(process.kill)
            await rig.report(row(KEY, "backoff", 1))
            assert (hanging.deaths, unsaid.deaths, seen.deaths) == ([False], [False], [True])
            assert (early.deaths, cancelled.deaths, late.deaths) == ([], [], [])
            assert (len(turns), turns.incarnation_of(KEY)) == (0, 0)


async def test_a_new_gateway_goes_on_and_nothing_is_begun_twice(short_path: Path) -> None:
    """The link is closed and opened anew, as a killed gateway and its successor do."""
    async with gateway_rig() as rig, agent(rig, short_path) as process:
        first = start(rig.parts.turns, "hang before")
        await first.until("events")
        lost = start(rig.parts.turns, "hang never acknowledged", "lost", acknowledges=False)
        await lost.until("events")
        address = rig.parts.boot.data
        rig.parts.data_link.close()
        # Without a report for now: after it, what nobody has named is cancelled.
        async with gateway_rig(supervisor=False, address=address) as other:
            turns = other.parts.turns
            again = Caller(turns)
            after, late = first.last, in_ms(60)
            turns.resume(ResumedTurn(KEY, "run-1", late, 1, after, seen=True), again)
            lost_again = Caller(turns, "lost")
            turns.resume(ResumedTurn(KEY, "lost", late, 1, 0, seen=False), lost_again)
            never = Caller(turns, "never")
            turns.resume(ResumedTurn(KEY, "never", late, 1, 0, seen=False), never)
            await other.connect_supervisor(row(KEY))
            await lost_again.until("events")
            assert lost_again.text == "never acknowledged"
            await never.until("outcomes")  # the agent has not got it, and begins nothing
            assert (never.events, never.outcomes) == ([], [TurnOutcome("aborted")])
            turns.cancel("run-1")
            await again.until("outcomes")
            assert (again.events, again.outcomes) == ([], [TurnOutcome("aborted")])
            await asyncio.to_thread(process.kill)
            await other.report(row(KEY, incarnation=2))
            assert lost_again.deaths == [True]


async def test_a_flood_of_one_turn_delays_neither_other_turns_nor_calls(short_path: Path) -> None:
    async with gateway_rig() as rig, agent(rig, short_path):
        turns = rig.parts.turns
        account = await rig.worker("irc:libera")
        account.on_call = lambda call: data.Answer(call.id, True, b"{}")
        flood = start(turns, "notices", "flood")
        await flood.until("events")
        for number in range(10):
            before = len(flood.events)
            other = start(turns, "count 3", f"other-{number}")
            await other.until("outcomes")
            assert other.text == "0 1 2 "
            assert await rig.parts.calls.call("irc:libera", "probe", b"{}", PATIENCE) == b"{}"
            await until(lambda before=before: len(flood.events) > before)  # type: ignore[misc]
        turns.cancel("flood")
        await flood.until("outcomes")
        assert flood.outcomes == [TurnOutcome("aborted")]


async def test_garbage_of_an_agent_s_process_hurts_no_one(short_path: Path) -> None:
    async with gateway_rig() as rig:
        turns = rig.parts.turns
        await rig.report(row(KEY))
        liar = await rig.worker(KEY)
        caller = start(turns, "x")
        got = await liar.next(TurnBegin)
        liar.send(TurnEvents("1:of somebody else", 1, [b"{}"]))
        liar.send(TurnEvents(got.turn, 7, [b"{}"]))
        assert liar.dealer.send(b"\xc1 garbage")
        liar.send(TurnEvents(got.turn, 1, [b"\xff", b"[" * 9000, b'{"type":"delta","text":"ok"}']))
        await caller.until("events")
        assert (caller.events, caller.last) == ([Delta("ok")], 3)
        assert (await liar.next(TurnAck)).seq == 3
        liar.send(data.TurnEnded(got.turn, 4, b'{"state":"won"}'))
        await caller.until("outcomes")
        assert (caller.outcomes[0].state, caller.outcomes[0].kind) == ("error", "failed")
        assert turns.dropped["malformed"] == 3
        assert turns.dropped["gap"] == 1
        assert turns.dropped["unknown"] == 1


async def test_a_hello_again_sends_what_was_not_taken(short_path: Path) -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        caller = start(rig.parts.turns, "x")
        first = await worker.next(TurnBegin)
        worker.hello()
        assert await worker.next(TurnBegin) == first
        worker.send(data.TurnTaken(first.turn, 0))
        worker.hello()
        await worker.next(Welcome)
        worker.send(data.TurnEnded(first.turn, 1, msgspec.json.encode(TurnOutcome("aborted"))))
        assert isinstance(await worker.next(TurnAck), TurnAck)
        assert caller.incarnations == [1]


async def test_an_agent_that_takes_us_for_another_gateway_is_asked_for_a_hello() -> None:
    async with gateway_rig() as rig:
        await rig.report(row(KEY))
        worker = await rig.worker(KEY, ready=False)
        await worker.next(Welcome)
        stranger = await rig.worker("agent:other", ready=False)
        stranger.send(TurnEvents("1:run-1", 1, [b"{}"]))
        assert (await stranger.next(Refused)).reason == "hello first"


async def test_a_caller_that_fails_hurts_no_other(short_path: Path) -> None:
    class Broken(Caller):
        def on_end(self, outcome: TurnOutcome, seq: int) -> None:
            raise ValueError("broken")

    async with gateway_rig() as rig:
        turns = rig.parts.turns
        worker = await rig.worker(KEY)
        turns.begin(KEY, turn_of("x", "broken"), Broken(turns, "broken"))
        sound = start(turns, "x", "sound")
        end = msgspec.json.encode(TurnOutcome("aborted"))
        for run in ("broken", "sound"):
            worker.send(data.TurnEnded(name_of(run, 1), 1, end))
        await sound.until("outcomes")


async def test_a_turn_that_no_agent_takes_ends_at_its_deadline() -> None:
    async with gateway_rig() as rig:
        turns = rig.parts.turns
        soon = start(turns, "x", "soon", seconds=0.05)
        never = start(turns, "x", "cancelled")
        turns.cancel("cancelled")
        assert never.outcomes == [TurnOutcome("aborted")]
        await soon.until("outcomes")
        assert soon.outcomes == [TurnOutcome("timeout")]
        assert len(turns) == 0


def test_a_deadline_that_is_over_stops_no_other_turn_on_the_loop_of_the_product() -> None:
    async def life() -> None:
        async with gateway_rig() as rig:
            turns = rig.parts.turns
            over = start(turns, "x", "over", seconds=-1)
            soon = start(turns, "x", "soon", seconds=0.02)
            await over.until("outcomes")
            await soon.until("outcomes")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(life())


async def test_an_attempt_is_a_turn_of_its_own_name() -> None:
    async with gateway_rig() as rig:
        turns = rig.parts.turns
        worker = await rig.worker(KEY)
        caller = start(turns, "x")
        with pytest.raises(ValueError, match="has a turn already"):
            start(turns, "x")
        transient = TurnOutcome("error", kind="transient", error="later")
        worker.send(data.TurnEnded("1:run-1", 1, msgspec.json.encode(transient)))
        await caller.until("outcomes")
        turns.begin(KEY, turn_of("x"), caller, attempt=2)
        assert (await worker.next(TurnBegin)).turn == "1:run-1"
        again = await worker.next(TurnBegin)
        assert again.turn == "2:run-1"
        assert msgspec.json.decode(again.payload)["run"] == "run-1"


async def test_what_a_process_does_not_read_waits_for_its_next_hello() -> None:
    async with gateway_rig() as rig:
        turns = rig.parts.turns
        worker = await rig.worker(KEY)
        full, sent = True, list[bytes]()

        def send(peer: bytes, body: bytes) -> bool:
            if not full:
                sent.append(body)
            return not full

        turns.attach(send)
        start(turns, "x", "one")
        start(turns, "y", "two")
        await asyncio.sleep(0)  # the flush of this turn of the loop
        await asyncio.sleep(0)
        full = False
        worker.hello()
        await until(lambda: sent)
        found = [frame for body in sent for frame in data.decode_from_gateway(body)]
        names = [frame.turn for frame in found if isinstance(frame, TurnBegin)]
        assert names[:2] == ["1:one", "1:two"]


def test_of_frames_that_say_the_same_the_last_is_kept() -> None:
    one, two = begin("x", "one"), begin("x", "two")
    acks = [TurnAck("one", number) for number in range(1, 9)]
    cancel = TurnCancel("one")
    queued: list[Any] = [one, acks[0], two, *acks[1:], cancel, TurnAck("two", 1), cancel]
    assert without_repeats(queued) == [one, two, acks[-1], TurnAck("two", 1), cancel]


def test_large_turns_go_in_packs_of_their_own_and_none_is_lost() -> None:
    large = TurnBegin("large", bytes(PACK_BYTES), 0)
    frames = [begin("x", f"r{number}") for number in range(200)]
    mixed: list[Any] = [*frames[:3], large, *frames[3:]]
    packs = list(packs_of_turns(mixed))
    assert [frame for _, pack in packs for frame in pack] == mixed
    assert [large] in [pack for _, pack in packs]
    assert all(mixed[start] is pack[0] for start, pack in packs)
    assert list(packs_of_turns([])) == []


@pytest.mark.slow
async def test_a_thousand_turns_at_once_in_one_process(short_path: Path) -> None:
    async with gateway_rig() as rig, agent(rig, short_path):
        turns = rig.parts.turns
        callers = [start(turns, "hang", f"h{number}") for number in range(1000)]
        await until(lambda: all(caller.incarnations for caller in callers))
        others = [start(turns, "count 20", f"c{number}") for number in range(1000)]
        await until(lambda: all(other.outcomes for other in others))
        said = "".join(f"{number} " for number in range(20))
        assert {other.text for other in others} == {said}  # in how many pieces is the load's to say
        for caller in callers:
            turns.cancel(caller.run)
        await until(lambda: all(caller.outcomes for caller in callers))
        assert {caller.outcomes[0].state for caller in callers} == {"aborted"}
        assert len(turns) == 0


class PlayedPeers:
    """Peers of which the test says when they come and go."""

    def __init__(self) -> None:
        self.by_key: dict[str, Any] = {}

    def follow(self, welcomed: Any, forgotten: Any) -> None:
        self.welcomed, self.forgotten = welcomed, forgotten


async def test_a_flood_is_taken_in_several_turns_of_the_loop_and_before_the_end_of_its_agent() -> (
    None
):
    peers: Any = PlayedPeers()
    turns = TurnLink(peers)
    peer: Any = type("Played", (), {"key": KEY, "incarnation": 1, "id": b"p"})()
    caller = start(turns, "x")
    peers.welcomed(peer)
    piece = msgspec.json.encode(Delta("x"))
    name = name_of("run-1", 1)

    def send(first: int, last: int) -> None:
        turns.on_frame(peer, TurnEvents(name, first, [piece] * (last + 1 - first)))

    half = EVENTS_A_TURN // 2
    for number in range(8):
        send(1 + number * half, (number + 1) * half)
    assert len(caller.events) == EVENTS_A_TURN
    await asyncio.sleep(0)
    assert EVENTS_A_TURN < len(caller.events) <= 2 * EVENTS_A_TURN
    await until(lambda: len(caller.events) == 8 * half)
    send(8 * half + 1, 10 * half)
    send(10 * half + 1, 12 * half)
    assert len(caller.events) < 12 * half
    peers.forgotten(peer)
    assert (len(caller.events), caller.deaths) == (12 * half, [True])
    turns.close()
