"""A gateway whose files run out, or would if strangers could keep them."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.encryption import encryption
from tests.support.until import PATIENCE
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e


async def test_idle_connections_take_no_place_from_a_new_client(tmp_path: Path) -> None:
    """With few files: what a stranger keeps open gives way."""
    async with contextlib.AsyncExitStack() as stack:
        daemon = Daemon(tmp_path, {"channels": {}})
        daemon.prefix = ("sh", "-c", 'ulimit -n 512; exec "$@"', "sh")
        await stack.enter_async_context(daemon)
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for _ in range(400):
            _, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
            stack.callback(writer.close)
            writer.write(request)
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port, limit=1 << 22)
        stack.callback(writer.close)
        writer.write(request.replace(b"/health", b"/metrics"))
        async with asyncio.timeout(PATIENCE):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            await reader.readuntil(b"\ntrunkline_evicted_total ")
            assert float(await reader.readline()) > 300
        client = await daemon.client()
        assert (await client.call("health"))["ok"]
        await client.close()


@pytest.mark.parametrize("kind", ["plain", "encrypted", "canvas", "commands"])
async def test_sockets_that_send_nothing_take_no_file_from_a_worker(
    tmp_path: Path, kind: str
) -> None:
    """Without one for its links ZeroMQ would end the supervisor, or the gateway."""
    (tmp_path / "canvas").mkdir()
    port = free_port()
    gateway = {"tls": encryption(tmp_path)[1]} if kind == "encrypted" else {}
    canvas = {"enabled": True, "root": str(tmp_path / "canvas"), "port": port}
    config = {"channels": {"local": {"accounts": {"one": {}}}}, "canvasHost": canvas}
    with contextlib.ExitStack() as stack:
        daemon = Daemon(tmp_path, config | {"gateway": gateway})
        daemon.prefix = ("sh", "-c", 'ulimit -n 512; exec "$@"', "sh")
        async with daemon:
            await daemon.wait_phase("local:one", "running")
            before = (await daemon.status())["gateway"]["pid"]
            places: dict[str, tuple[int, Any]] = {
                "canvas": (socket.AF_INET, ("127.0.0.1", port)),
                "commands": (socket.AF_UNIX, str(daemon.run_dir / "cli.sock")),
            }
            family, place = places.get(kind, (socket.AF_INET, ("127.0.0.1", daemon.port)))
            for _ in range(600):
                silent = stack.enter_context(socket.socket(family))
                await asyncio.to_thread(silent.connect, place)
            code, _, error = await daemon.command("channels", "restart", "local:one", "--wait")
            assert code == 0, error
            assert (await daemon.status())["gateway"]["pid"] == before


async def test_a_gateway_without_files_says_so(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        pid = (await daemon.status())["gateway"]["pid"]
        try:
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        except PermissionError:
            pytest.skip("this user may not change the limits of a process that hides its memory")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (8, before[1]))
        try:
            await daemon.wait(lambda s: "no files left" in str(s["supervisor"]["warnings"]))
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        code, out, _ = await daemon.command("status")
        assert code == 0
        assert "LimitNOFILE" in out
