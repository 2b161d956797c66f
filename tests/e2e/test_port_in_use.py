"""A port that is taken: the process that holds it is named, and ended only on request."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.errors import RemoteError
from tests.support.commandline import Result
from tests.support.daemon import Daemon

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}
LISTEN = """a_stranger = 1
import signal, socket, sys
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.socket() as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", int(sys.argv[1])))
    sock.listen()
    print("listening", flush=True)
    signal.pause()
"""


@contextmanager
def stranger(port: int, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Somebody else's program that listens on ``port``."""
    command = [sys.executable, "-c", LISTEN, str(port), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


async def test_a_program_on_the_port_is_named_and_ended_only_with_force(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LOCAL)
    try:
        with stranger(daemon.port) as other:
            for command in (["up"], ["up", "--detach"]):
                result = Result(*await daemon.command(*command))
                result.complains(1, str(daemon.port), f"pid {other.pid}", "a_stranger", "--force")
            assert other.poll() is None
            await daemon.start("--force")
            assert other.wait(5) == -15
            await daemon.wait_phase("local:one", "running")
    finally:
        await daemon.__aexit__()


async def test_a_port_taken_while_the_gateway_is_down_is_reported(tmp_path: Path) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        before = await daemon.wait_phase("local:one", "running")
        await daemon.call("gateway.stop")
        with stranger(daemon.port) as other:
            for verb in ("start", "restart"):
                with pytest.raises(RemoteError, match=f"pid {other.pid} .*a_stranger"):
                    await daemon.call(f"gateway.{verb}")
            assert (await daemon.status())["gateway"]["phase"] == "stopped"
            answer = await daemon.call("gateway.start", {"force": True})
            assert answer["ok"] is True
            assert other.wait(5) == -15
        assert (await daemon.status())["accounts"]["local:one"]["pid"] == before["pid"]


@pytest.mark.slow  # a stranger has five seconds to end by itself
async def test_the_supervisor_answers_while_a_program_is_slow_to_leave_the_port(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        await daemon.wait_phase("local:one", "running")
        await daemon.call("gateway.stop")
        with stranger(daemon.port, "deaf") as other:
            client = await daemon.local()
            start = client.call("gateway.start", {"force": True}, timeout=20)
            starting = asyncio.create_task(start)
            row = await daemon.wait_phase("local:one", "running")
            await daemon.call("channels.restart", {"accounts": ["local:one"]})
            await daemon.wait(
                lambda s: (
                    s["accounts"]["local:one"]["pid"] not in (None, row["pid"])
                    and s["accounts"]["local:one"]["phase"] == "running"
                )
            )
            assert not starting.done()
            assert (await starting)["ok"] is True
            assert other.wait(5) == -9
            await client.close()


async def test_an_address_of_another_host_is_named(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LOCAL | {"gateway": {"bind": "192.0.2.1"}})
    result = Result(*await daemon.command("up"))
    result.complains(1, "192.0.2.1", str(daemon.port), "gateway.bind")
    await daemon.__aexit__()
