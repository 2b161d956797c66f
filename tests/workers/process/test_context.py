"""What a plugin may do with its context, and what it may not."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from pathlib import Path

import pytest

from ipc.frames.bootstrap import MediaBoot
from ipc.frames.control import Beat
from ipc.frames.data import HAPPENED, INBOUND
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


async def test_a_plugin_tells_about_itself_within_its_limits(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start()
        plugin = await rig.up()
        plugin.ctx.status(connected=True, last_error="x" * 5_000, last_connected_at=5)
        await rig.supervisor.until(lambda: "lastError" in rig.supervisor.status())
        status = rig.supervisor.status()
        assert (status["mode"], status["connected"], status["lastConnectedAt"]) == ("test", True, 5)
        assert len(status["lastError"]) == 2_000
        with pytest.raises(ValueError, match="phase"):
            plugin.ctx.status(phase="running")
        with pytest.raises(ValueError, match="text, a number"):
            plugin.ctx.status(detail=["a"])


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


async def test_http_goes_through_the_account_s_proxy_and_ends_with_it(run_dir: Path) -> None:
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(proxy, "127.0.0.1", 0) as server,
        worker_rig(run_dir) as rig,
    ):
        port = server.sockets[0].getsockname()[1]
        rig.start(proxy=f"http://127.0.0.1:{port}")
        ctx = (await rig.up()).ctx
        session = ctx.http
        assert session is ctx.http
        async with session.get("http://chat.example/api") as answer:
            assert await answer.text() == "hi"
        assert asked == ["GET http://chat.example/api HTTP/1.1"]
        assert await rig.stop() == 0
        assert session.closed


async def test_files_lie_where_the_worker_was_told_and_are_reported(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.05)
        plugin = await rig.up()
        saved = await plugin.ctx.media.save(b"x" * 5000, name="a.txt")
        assert len(list((run_dir / "storage" / "one" / "media").glob("[0-9a-f]*"))) == 2
        beats = rig.supervisor.of
        await rig.supervisor.until(lambda: beats(Beat)[-1:] and beats(Beat)[-1].media_bytes == 8192)
        assert beats(Beat)[-1].media_refusal == ""
        async with plugin.ctx.media.open(saved.url) as file:
            assert await file.read() == b"x" * 5000


async def test_a_quota_that_is_full_is_reported_until_there_is_room(run_dir: Path) -> None:
    media = MediaBoot(str(run_dir / "media"), quota=8192)
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.05, media=media)
        plugin = await rig.up()

        def refusal() -> str:
            return rig.supervisor.of(Beat)[-1].media_refusal

        kept = await plugin.ctx.media.save(b"x" * 5000)
        lost = await plugin.ctx.media.receive(b"x")
        assert lost.missing is not None
        assert lost.missing.startswith("the account's files take 0 MiB, as many as media.quota")
        await rig.supervisor.until(lambda: refusal() == lost.missing)
        then = time.time() - 7200
        os.utime(run_dir / "media" / kept.url.removeprefix("media:"), (then, then))
        assert (await plugin.ctx.media.receive(b"y")).url
        await rig.supervisor.until(lambda: refusal() == "")


async def test_old_files_of_an_earlier_worker_go_without_a_word(run_dir: Path) -> None:
    place = run_dir / "media"
    place.mkdir()
    old, young = place / ("a" * 32), place / ("b" * 32)
    for each in (old, young):
        each.write_bytes(b"x")
    os.utime(old, (0, 0))
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.05, media=MediaBoot(str(place)))
        await rig.up()
        await rig.supervisor.until(lambda: rig.supervisor.of(Beat)[-1:] and not old.exists())
        await rig.supervisor.until(lambda: rig.supervisor.of(Beat)[-1].media_bytes == 4096)
        assert young.exists()


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
