"""What a plugin may do with its context, and what it may not."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from ipc.frames.data import ADDRESSED, HAPPENED, INBOUND
from tests.support.controllable_channel import ControllablePlugin, said
from tests.support.worker_rig import worker_rig
from workers.messages import Chat, Happened, Inbound
from workers.plugin import Context
from workers.process.context import AccountContext


async def test_it_names_the_account_and_its_places(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        ctx: Context = (await rig.up()).ctx
        assert (ctx.key, ctx.account_id) == ("controllable:one", "one")
        assert ctx.storage == run_dir / "storage" / "one"
        assert ctx.run_dir == run_dir


async def test_only_an_inbound_message_can_be_emitted(run_dir: Path) -> None:
    class Subclass(Inbound, frozen=True):
        pass

    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        good = said("x")
        subclass = Subclass(good.id, good.chat, good.sender, good.text, good.ts)
        for wrong in ({"text": "x"}, "x", None, subclass):
            with pytest.raises(TypeError, match="emit takes Inbound and Happened, not"):
                await plugin.ctx.emit(wrong)  # type: ignore[arg-type]
        await plugin.ctx.emit(good)
        assert await rig.gateway.heard(1) == ["x"]
        assert counted(plugin) == 1


async def test_what_has_happened_is_numbered_with_the_messages(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        happened = Happened("deleted", Chat("room", "group"), 5, message="id-a")
        await plugin.ctx.emit(said("a"), happened)
        await plugin.ctx.emit(happened)
        await rig.gateway.until(lambda: len(rig.gateway.accepted) == 3)
        assert [each.flags for each in rig.gateway.accepted] == [INBOUND, HAPPENED, HAPPENED]
        event = json.loads(rig.gateway.accepted[1].payload)
        assert (event["cursor"], event["happened"]["kind"]) == ("7:2", "deleted")
        assert counted(plugin) == 1


async def test_flags_tell_direction_and_address(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        ctx = (await rig.up()).ctx
        to_it = said("b", addressed=True)
        await ctx.emit(said("a"))
        await ctx.emit(to_it)
        await ctx.emit(said("c"), to_it)
        await rig.gateway.until(lambda: len(rig.gateway.accepted) == 4)
        meant = INBOUND | ADDRESSED
        assert [each.flags for each in rig.gateway.accepted] == [INBOUND, meant, INBOUND, meant]


async def test_a_message_that_is_refused_takes_no_number(run_dir: Path) -> None:
    """A gap in the sequence numbers would look like a loss to the gateway."""
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        with pytest.raises(ValueError, match="too large"):
            await plugin.say("x" * 300_000)
        await plugin.say("fits")
        assert await rig.gateway.heard(1) == ["fits"]
        assert rig.gateway.accepted[0].seq == 1
        assert counted(plugin) == 1


def counted(plugin: ControllablePlugin) -> int:
    assert isinstance(plugin.ctx, AccountContext)
    return plugin.ctx.messages_in


async def test_a_thread_of_the_plugin_emits_and_knows_what_is_safe(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        ctx = (await rig.up()).ctx

        def work(count: int) -> str:
            for number in range(count):
                receipt = ctx.from_thread(ctx.emit(said(f"{number}")))
            ctx.from_thread(receipt)
            return threading.current_thread().name

        names = await asyncio.gather(*(ctx.thread(work, 20) for _ in range(3)))
        assert len(rig.gateway.accepted) == 60
        assert all(name.startswith("plugin") for name in names)
        with pytest.raises(RuntimeError, match="for other threads"):
            ctx.from_thread(ctx.emit(said("x")))
        with pytest.raises(KeyError):
            await ctx.thread({}.__getitem__, "x")


async def test_the_account_s_address_stands_on_the_public_one(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(ingress_url="https://chat.example/channels/controllable/one/")
        ctx = (await rig.up()).ctx
        assert ctx.url("hook") == "https://chat.example/channels/controllable/one/hook"
        assert ctx.url("/a b") == "https://chat.example/channels/controllable/one/a%20b"
        assert ctx.url() == "https://chat.example/channels/controllable/one/"


async def test_signatures_are_made_and_compared(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        ctx = (await rig.up()).ctx
        assert ctx.url("hook") is None
        # RFC 4231, test case 2
        made = ctx.hmac("Jefe", b"what do ya want for nothing?")
        assert made.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        assert len(ctx.hmac(b"Jefe", "x", "sha512")) == 64
        assert ctx.same(made, bytes(made))
        assert ctx.same("s\u00fc\u00df", "s\u00fc\u00df".encode())
        assert not ctx.same("a", "b")
        assert not ctx.same("a", "aa")
