"""When a receipt is fulfilled, and what it says of durability."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from ipc.frames import control, data
from tests.support.controllable_channel import ControllablePlugin, said
from tests.support.worker_rig import CONTROLLABLE, FakeGateway, WorkerRig, worker_rig

KEEPING = CONTROLLABLE.replace(":manifest", ":keeping")


async def settled(plugin: ControllablePlugin, gateway: FakeGateway) -> None:
    """Return when all frames that the gateway has sent so far have been read."""
    await gateway.result("probe", {})


async def test_emit_returns_when_there_is_room_and_the_receipt_when_it_is_acknowledged(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking, rig.gateway.durable = False, True
        rig.start()
        plugin = await rig.up()
        receipt = await plugin.ctx.emit(said("a"), said("b"))
        await rig.gateway.heard(2)
        waits = asyncio.ensure_future(receipt)
        rig.gateway.send(data.Ack(1))
        await settled(plugin, rig.gateway)
        assert not waits.done()
        assert not receipt.durable
        rig.gateway.send(data.Ack(2))
        await waits
        assert receipt.durable
        await receipt  # again, at once


async def test_without_a_journal_a_receipt_is_fulfilled_and_not_durable(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        receipt = await plugin.ctx.emit(said("a"))
        await receipt
        assert not receipt.durable


async def test_a_receipt_of_a_dying_worker_raises_cancelled_error(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking = False
        rig.start(stop_within=1.0)
        plugin = await rig.up()
        receipt = await plugin.ctx.emit(said("a"))

        async def confirm() -> str:
            try:
                await receipt
            except asyncio.CancelledError:
                return "not confirmed"
            return "confirmed"

        confirms = asyncio.create_task(confirm())
        await rig.gateway.heard(1)
        assert await rig.stop() == 0
        assert await confirms == "not confirmed"
        with pytest.raises(asyncio.CancelledError):
            await receipt


async def test_a_cursor_goes_with_the_last_message_of_an_emit(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.durable = True
        rig.start(KEEPING)
        plugin = await rig.up()
        assert plugin.began_at is None
        await (await plugin.ctx.emit(said("a"), said("b"), said("c"), cursor={"offset": 3}))
        assert [(each.first, each.last, each.cursor) for each in rig.gateway.packs] == [
            (1, 3, b'{"offset":3}')
        ]
        assert plugin.ctx.cursor == {"offset": 3}


async def test_packs_end_where_a_cursor_is(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(KEEPING)
        plugin = await rig.up()
        await plugin.ctx.emit(said("a"), cursor=1)
        await plugin.ctx.emit(said("b"), cursor=2)  # both are stored as one: the second counts
        await plugin.ctx.emit(said("c"))
        await plugin.ctx.safe()
        packs = [(each.first, each.last, each.cursor) for each in rig.gateway.packs]
        assert packs == [(1, 2, b"2"), (3, 3, b"")]


async def test_a_mark_waits_for_the_messages_before_it_and_the_newest_wins(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking, rig.gateway.durable = False, True
        rig.start(KEEPING)
        plugin = await rig.up()
        await plugin.ctx.emit(said("a"))
        first = plugin.ctx.mark(1)
        await rig.gateway.until(lambda: rig.gateway.marks)
        plugin.ctx.mark(2)
        last = plugin.ctx.mark(3)
        assert rig.gateway.marks == [data.Mark(1, 1, b"1")]
        rig.gateway.send(data.Ack(1, 1))
        await first
        assert (first.durable, last.durable, plugin.ctx.cursor) == (True, False, 1)
        await rig.gateway.until(lambda: len(rig.gateway.marks) == 2)
        assert rig.gateway.marks[1] == data.Mark(3, 1, b"3")
        rig.gateway.send(data.Ack(1, 3))
        await last
        await plugin.ctx.safe()
        assert plugin.ctx.cursor == 3


async def test_a_mark_is_sent_again_to_a_gateway_that_comes_back(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.acking = False
        rig.start(KEEPING)
        plugin = await rig.up()
        receipt = plugin.ctx.mark("here")
        await rig.gateway.until(lambda: rig.gateway.marks)
        gateway = rig.restart_gateway()
        await receipt
        assert gateway.marks == [data.Mark(1, 0, b'"here"')]


async def test_an_empty_emit_with_a_cursor_is_a_mark(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(KEEPING)
        plugin = await rig.up()
        await (await plugin.ctx.emit(cursor=5))
        await (await plugin.ctx.emit())
        assert rig.gateway.marks == [data.Mark(1, 0, b"5")]


async def test_a_channel_that_keeps_no_cursor_is_told_how_to(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        with pytest.raises(RuntimeError, match="cursor=True in its manifest"):
            await plugin.ctx.emit(said("a"), cursor=1)
        with pytest.raises(RuntimeError, match="cursor=True in its manifest"):
            plugin.ctx.mark(1)
        assert not rig.gateway.hellos[0].waits


async def test_the_cursor_is_there_before_the_plugin_begins(run_dir: Path) -> None:
    """Although the account does not run yet, so that the gateway takes nothing from it."""
    async with worker_rig(run_dir) as rig:
        rig.gateway.running = False
        rig.gateway.durable, rig.gateway.cursor = True, b'{"offset":7}'
        rig.start(KEEPING)
        plugin = await rig.up()
        assert plugin.began_at == {"offset": 7}
        assert any(hello.waits for hello in rig.gateway.hellos)
        await plugin.say("early")
        assert rig.gateway.raw == []
        rig.gateway.welcome_all()
        assert await rig.gateway.heard(1) == ["early"]


def waits_told(rig: WorkerRig) -> list[str]:
    return [each.reason for each in rig.supervisor.of(control.WorkerWaits)]


async def test_a_plugin_that_keeps_a_cursor_waits_for_the_gateway_and_says_so(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.restart_gateway(gone=True)
        rig.start(KEEPING)
        await rig.supervisor.until(lambda: waits_told(rig))
        assert waits_told(rig) == ["it waits for the gateway, which keeps its cursor"]
        assert not rig.supervisor.of(control.WorkerReady)
        gateway = rig.gateway = FakeGateway(rig.endpoints.data, "boot-2")
        gateway.cursor = b"7"
        plugin = await rig.up()
        assert plugin.began_at == 7
        assert waits_told(rig)[-1] == ""


async def test_a_stop_ends_the_wait_for_the_gateway(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.restart_gateway(gone=True)
        rig.start(KEEPING)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.Beat))
        assert await rig.stop() == 0


@pytest.mark.parametrize(
    ("named", "cursor"), [("bot-1", 7), ("bot-2", None)], ids=["the same", "another"]
)
async def test_a_cursor_of_another_identity_is_dropped(
    run_dir: Path, named: str, cursor: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.gateway.cursor, rig.gateway.identity = b"7", "bot-1"
        rig.start(KEEPING)
        plugin = await rig.up()
        plugin.ctx.identity(named)
        assert plugin.ctx.cursor == cursor
        await plugin.say("x")
        await plugin.ctx.safe()
        assert rig.gateway.named[:1] == [named]
        assert ("another identity" in capfd.readouterr().err) is (cursor is None)


async def test_every_gateway_learns_the_identity_before_any_message(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(KEEPING)
        plugin = await rig.up()
        plugin.ctx.identity("bot-1")
        rig.gateway.close()
        await plugin.say("during")
        gateway = rig.gateway = FakeGateway(rig.endpoints.data, "boot-2")
        order: list[str] = []
        gateway.heed = lambda frame: order.append(type(frame).__name__)
        assert await gateway.heard(1) == ["during"]
        assert order.index("AccountIdentity") < order.index("Messages")


async def test_an_identity_cannot_change_once_something_was_emitted(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(KEEPING)
        plugin = await rig.up()
        plugin.ctx.identity("bot-1")
        await plugin.say("x")
        plugin.ctx.identity("bot-1")  # after a reconnect, say
        with pytest.raises(RuntimeError, match="before the first emit"):
            plugin.ctx.identity("bot-2")
        with pytest.raises(ValueError, match="1 to 512 characters"):
            plugin.ctx.identity("")


async def test_a_bad_message_among_good_ones_emits_none_of_them(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        with pytest.raises(ValueError, match="too large"):
            await plugin.ctx.emit(said("a"), said("x" * 300_000))
        await plugin.say("b")
        assert await rig.gateway.heard(1) == ["b"]
        assert json.loads(rig.gateway.accepted[0].payload)["cursor"] == "7:1"
