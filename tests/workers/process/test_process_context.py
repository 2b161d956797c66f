"""What plugins and agents may use: status, HTTP, files."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from ipc.frames.bootstrap import MediaBoot
from ipc.frames.control import Beat
from tests.support.worker_rig import worker_rig


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
