"""Messages over gateways that restart, stall, lose frames, refuse, or do not read."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import structlog

from ipc.frames import control, data
from ipc.identity.peer import PeerProof
from tests.support.controllable_channel import said
from tests.support.until import until
from tests.support.worker_rig import FakeGateway, WorkerRig, worker_rig
from workers.links.data import RENEW_BEATS, WorkerDataLink


def redelivered(gateway: FakeGateway) -> list[bool]:
    marks = [json.loads(each.payload).get("redelivered", False) for each in gateway.accepted]
    flags = [bool(each.flags & data.REDELIVERED) for each in gateway.accepted]
    assert marks == flags
    return marks


async def test_messages_arrive_in_order_with_cursor_and_flags(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("one")
        await plugin.say("two", addressed=True)
        await rig.gateway.heard(2)
        first, second = rig.gateway.accepted
        assert (first.seq, first.flags) == (1, data.INBOUND)
        assert (second.seq, second.flags) == (2, data.INBOUND | data.ADDRESSED)
        event = json.loads(second.payload)
        assert event["cursor"] == "7:2"
        assert (event["account"], event["direction"]) == ("controllable:one", "in")
        assert event["message"]["text"] == "two"


async def test_what_one_turn_of_the_loop_has_said_goes_in_few_packs(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("warm")
        await rig.gateway.heard(1)
        before = rig.gateway.bodies
        await plugin.say(*(str(number) for number in range(2 * data.PACK_FRAMES)))
        await rig.gateway.heard(2 * data.PACK_FRAMES + 1)
        assert rig.gateway.bodies - before == 2


async def test_nothing_is_sent_before_the_welcome(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.welcoming = False
        rig.start()
        plugin = await rig.up()
        await plugin.say("early")
        rig.supervisor.ping(1)
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        assert rig.gateway.raw == []
        rig.gateway.welcome_all()
        assert await rig.gateway.heard(1) == ["early"]


async def test_a_gateway_that_forgets_to_welcome_is_asked_again(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.welcoming = False
        rig.start()
        plugin = await rig.up()
        await plugin.say("early")
        rig.gateway.welcoming = True
        assert await rig.gateway.heard(1) == ["early"]
        assert len(rig.gateway.hellos) == 2


async def test_a_restarted_gateway_gets_what_was_not_acknowledged(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("a", "b")
        await rig.gateway.heard(2)
        await acknowledged_by_ping(rig)
        rig.gateway.acking = False
        await plugin.say("c", "d")
        assert await rig.gateway.heard(4) == ["a", "b", "c", "d"]
        gateway = rig.restart_gateway()
        await plugin.say("e")
        assert await gateway.heard(3) == ["c", "d", "e"]
        assert [each.seq for each in gateway.accepted] == [3, 4, 5]
        assert redelivered(gateway)[:2] == [True, True]


async def test_what_is_said_during_an_outage_arrives_afterwards_unmarked(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("before")
        await rig.gateway.heard(1)
        await acknowledged_by_ping(rig)
        rig.gateway.close()
        for number in range(200):
            await plugin.say(f"during {number}")
        rig.gateway = FakeGateway(rig.endpoints.data, "boot-2")
        texts = await rig.gateway.heard(200)
        assert texts == [f"during {number}" for number in range(200)]


async def test_an_idle_worker_greets_a_restarted_gateway_by_itself(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=60)
        await rig.up()
        gateway = rig.restart_gateway()
        await gateway.until(lambda: gateway.hellos)
        assert await gateway.result("send", {"to": "x", "text": "hi", "key": "k"})


async def test_many_restarts_lose_nothing_and_keep_the_order(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        seen: dict[int, str] = {}
        again: set[int] = set()

        async def talk() -> None:
            for number in range(3_000):
                await plugin.say(str(number))
                if number % 50 == 0:
                    await asyncio.sleep(0.002)  # give restarts something to interrupt

        talking = asyncio.create_task(talk())
        for boot in range(2, 8):
            gateway = rig.gateway
            await gateway.until(partial(_many, gateway))
            gateway.acking = boot % 2 == 0
            rig.restart_gateway(f"boot-{boot}")
            collect(gateway, seen, again)
        await talking
        last = rig.gateway
        await last.until(lambda: last.last == 3_000)
        collect(last, seen, again)
        assert [seen[seq] for seq in sorted(seen)] == [str(number) for number in range(3_000)]


def _many(gateway: FakeGateway) -> bool:
    return len(gateway.accepted) > 100


def collect(gateway: FakeGateway, seen: dict[int, str], again: set[int]) -> None:
    """Merge what one gateway accepted; what an earlier one had already must be marked."""
    for message, marked in zip(gateway.accepted, redelivered(gateway), strict=True):
        if message.seq in seen:
            again.add(message.seq)
            assert marked, f"{message.seq} came twice without a mark"
        seen[message.seq] = json.loads(message.payload)["message"]["text"]


async def test_a_gap_makes_the_same_gateway_get_it_again_without_a_mark(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("a")
        await rig.gateway.heard(1)
        rig.gateway.lose = 1
        await plugin.say("lost")
        await rig.gateway.until(lambda: rig.gateway.lose == 0)
        await plugin.say("after")
        assert await rig.gateway.heard(3) == ["a", "lost", "after"]
        assert redelivered(rig.gateway) == [False, False, False]


async def test_a_lost_last_message_is_noticed_by_silence(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        rig.gateway.lose = 1
        await plugin.say("lost")
        assert await rig.gateway.heard(1) == ["lost"]


async def test_a_gateway_without_state_gets_a_new_hello(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await plugin.say("a")
        await rig.gateway.heard(1)
        rig.gateway.forget()
        await plugin.say("b")
        assert await rig.gateway.heard(2) == ["a", "b"]


async def test_emit_waits_at_the_bound_and_goes_on_after_acknowledgements(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        rig.gateway.acking = False
        emitted = 0

        async def flood() -> None:
            nonlocal emitted
            for number in range(12_000):
                await plugin.say(str(number))
                emitted += 1

        flooding = asyncio.create_task(flood())
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Beat)[-1].queued == 10_000)
        rig.supervisor.ping(1)  # its loop turns all the same
        await rig.supervisor.until(lambda: control.Pong(1) in rig.supervisor.frames)
        assert emitted == 10_000
        assert sum(len(each.payload) for each in rig.gateway.accepted) <= 256 * 1024
        rig.gateway.acking = True
        rig.gateway.acknowledge()
        texts = await rig.gateway.heard(12_000)
        await flooding
        assert texts == [str(number) for number in range(12_000)]


async def test_emitters_that_wait_are_served_in_turn_and_may_give_up(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        rig.gateway.acking = False
        for number in range(10_000):
            await plugin.say(str(number))
        waiting = [asyncio.create_task(plugin.say(f"late {number}")) for number in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.gather(waiting[1], return_exceptions=True)
        rig.gateway.acking = True
        rig.gateway.acknowledge()
        texts = await rig.gateway.heard(10_002)
        assert texts[10_000:] == ["late 0", "late 2"]


async def test_a_flood_without_awaiting_anything_else_leaves_the_loop_alive(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            asyncio.get_running_loop().call_soon(count) if turns < 1_000 else None

        count()
        for number in range(5_000):
            await plugin.ctx.emit(said(str(number)))
        assert turns > 5_000 / 128 - 1
        await rig.gateway.heard(5_000)


async def test_large_messages_pass_one_by_one(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        big = "x" * 200_000
        await plugin.say(big + "1", big + "2", "small")
        texts = await rig.gateway.heard(3)
        assert [text[-1] for text in texts] == ["1", "2", "l"]


async def test_a_stop_during_an_outage_waits_for_the_gateway_to_return(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await acknowledged_by_ping(rig)
        rig.gateway.close()
        await plugin.say("said in the dark")
        signal.raise_signal(signal.SIGTERM)
        rig.gateway = FakeGateway(rig.endpoints.data, "boot-2")
        assert await rig.code() == 0
        assert rig.gateway.texts() == ["said in the dark"]


@pytest.mark.parametrize("when", ["before the stop", "during the stop"])
async def test_a_stop_waits_for_nothing_that_cannot_be_stored(run_dir: Path, when: str) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking = False
        rig.start(stop_within=3600.0)
        plugin = await rig.up()
        await plugin.say("one", "two")
        await rig.gateway.heard(2)
        rig.gateway.stores = 1
        if when == "before the stop":
            rig.gateway.acknowledge()
            await acknowledged_by_ping(rig)  # an answer has to arrive all the same
        signal.raise_signal(signal.SIGTERM)
        assert await rig.code() == 0

        def figures() -> tuple[int, int]:
            last = rig.supervisor.of(control.Beat)[-1]  # its very last is on its way yet
            return last.emitted, last.acked

        await rig.supervisor.until(lambda: figures() == (2, 1))


async def test_what_can_be_stored_again_is_waited_for(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking, rig.gateway.stores = False, 1
        rig.start(stop_within=3600.0)
        plugin = await rig.up()
        await plugin.say("one", "two")
        await rig.gateway.heard(2)
        rig.gateway.acknowledge()
        rig.gateway.stores = None
        rig.gateway.send(data.Ack(1))
        await acknowledged_by_ping(rig)
        signal.raise_signal(signal.SIGTERM)
        rig.gateway.acking = True  # with the next hello
        assert await rig.code() == 0
        beat = rig.supervisor.of(control.Beat)[-1]
        assert (beat.emitted, beat.acked) == (2, 2)


async def acknowledged_by_ping(rig: WorkerRig) -> None:
    """Wait until the worker has read everything the gateway sent: one call goes after it."""
    await rig.gateway.call("probe", {})


async def test_a_full_link_loses_nothing(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        await acknowledged_by_ping(rig)
        rig.gateway.close()
        for number in range(1_100):  # one body each: more than ZeroMQ keeps for an absent peer
            await plugin.say(str(number))
            await asyncio.sleep(0)
        rig.gateway = FakeGateway(rig.endpoints.data, "boot-2")
        assert await rig.gateway.heard(1_100) == [str(number) for number in range(1_100)]


GATEWAY_UP = control.encode([control.GatewayUp(True)])


async def _refused(rig: WorkerRig) -> None:
    """Start a worker whose connection the gateway refuses: ZeroMQ never tries that one again."""
    rig.gateway.close()
    refusing = FakeGateway(rig.endpoints.data, proof=PeerProof(b"another boot"))
    rig.start(beat=0.05)
    await until(lambda: refusing.handshakes_refused == 1)
    refusing.close()
    rig.gateway = FakeGateway(rig.endpoints.data)
    await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))


async def test_a_worker_that_is_not_answered_connects_anew_once_the_gateway_runs(
    run_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        await _refused(rig)
        beats = len(rig.supervisor.of(control.Beat))
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Beat)) > beats + 6)
        assert rig.gateway.hellos == [], "as far as it knows there may be none"
        rig.supervisor.send_raw(GATEWAY_UP)
        plugin = await rig.up()
        await plugin.say("one", "two")
        assert await rig.gateway.heard(2) == ["one", "two"]
        assert capfd.readouterr().err.count("connecting anew") == 1


async def test_reconnects_without_an_answer_become_rarer(
    run_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.close()
        mute = FakeGateway(rig.endpoints.data, proof=PeerProof(b"another boot"))
        rig.start(beat=0.02)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        rig.supervisor.send_raw(GATEWAY_UP)
        beats = len(rig.supervisor.of(control.Beat))
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Beat)) > beats + 40)
        assert 3 <= mute.handshakes_refused <= 5  # after 3, 9, 21, 45 beats
        assert capfd.readouterr().err.count("connecting anew") == 1
        mute.close()
        rig.gateway = FakeGateway(rig.endpoints.data)


async def test_while_the_gateway_answers_it_keeps_its_socket(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        rig.supervisor.send_raw(GATEWAY_UP)
        beats = len(rig.supervisor.of(control.Beat))
        await rig.supervisor.until(lambda: len(rig.supervisor.of(control.Beat)) > beats + 20)
        await plugin.say("one")
        assert await rig.gateway.heard(1) == ["one"]
        assert not [each for each in rig.gateway.hellos if each.oldest != 1]


async def test_answers_that_are_late_for_a_beat_now_and_then_do_not_add_up(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        behind: list[object] = []
        with structlog.testing.capture_logs() as logs:
            log = structlog.get_logger()
            link = WorkerDataLink(rig.boot(), lambda call, gateway: behind.append(call), log)
            with closing(link):
                link.open()
                link.on_gateway_report(up=True)
                for number in range(2 * RENEW_BEATS):
                    rig.gateway.ask("anything", {})
                    await until(lambda: len(behind) > number)  # noqa: B023 - waited for at once
                    link.verify()  # says hello
                    link.verify()
                    assert [each["event"] for each in logs] == ["welcomed by the gateway"]
