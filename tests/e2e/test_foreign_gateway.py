"""Foreign gateways, played by a small program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipc.errors import IpcError
from ipc.websocket.probe import challenges
from tests.support.daemon import TOKEN, Daemon
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e

ROOT = str(Path(__file__).parents[2])
PROGRAM = [sys.executable, "-m", "tests.support.foreign_gateway"]


def foreign(*mode: str, **gateway: Any) -> dict[str, Any]:
    return {"gateway": {"command": [*PROGRAM, *mode], **gateway}, "channels": {}}


@contextlib.asynccontextmanager
async def running_alone() -> AsyncIterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a gateway that nobody supervises; yield it and its port."""
    port = free_port()
    env = {**os.environ, "PYTHONPATH": ROOT, "OPENCLAW_GATEWAY_TOKEN": TOKEN}
    process = await asyncio.to_thread(
        subprocess.Popen, [*PROGRAM, "fine", str(port)], env=env, stderr=subprocess.DEVNULL
    )
    try:
        while not await challenges(f"ws://127.0.0.1:{port}", 1.0):
            assert process.poll() is None
        yield process, port
    finally:
        process.kill()
        process.wait()


def working(status: dict[str, Any]) -> bool:
    row = status["gateway"]
    return bool(row["phase"] == "running" and row["connected"])


async def phase(daemon: Daemon, wanted: str) -> dict[str, Any]:
    """Return the gateway's row in a phase, while the daemon's start still waits."""
    while True:
        with contextlib.suppress(IpcError, OSError):
            row: dict[str, Any] = (await daemon.status())["gateway"]
            if row["phase"] == wanted:
                return row
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def beginning(daemon: Daemon) -> AsyncIterator[Daemon]:
    """Start a daemon without waiting for a gateway that may never answer."""
    start = asyncio.create_task(daemon.start())
    try:
        yield daemon
    finally:
        start.cancel()
        await asyncio.wait({start})
        await daemon.__aexit__()


async def test_a_foreign_program_is_kept_as_a_child(tmp_path: Path) -> None:
    async with Daemon(tmp_path, foreign("fine"), PYTHONPATH=ROOT) as daemon:
        row = (await daemon.status())["gateway"]
        assert row["kind"] == "command"
        client = await daemon.client(caps=())
        env = await client.call("environment")
        assert env["OPENCLAW_GATEWAY_TOKEN"] == TOKEN
        assert env["OPENCLAW_GATEWAY_PORT"] == str(daemon.port)
        assert env["OPENCLAW_SKIP_CHANNELS"] == "1"
        await client.close()
        os.kill(row["pid"], signal.SIGKILL)
        after = await daemon.wait(lambda s: working(s) and s["gateway"]["pid"] != row["pid"])
        assert after["gateway"]["outages"] == 1
        pid = after["gateway"]["pid"]
        os.kill(pid, signal.SIGUSR2)  # 1012 is no reason to end it
        again = await daemon.wait(lambda s: working(s) and s["gateway"]["outages"] == 2)
        assert again["gateway"]["pid"] == pid
        assert (await daemon.call("gateway.stop"))["ok"]
        assert not psutil.pid_exists(pid)
        logged = (tmp_path / "state" / "logs" / "gateway.log").read_text()
        assert "listening with the token ***" in logged
        assert TOKEN not in logged


async def test_a_foreign_gateway_that_hangs_is_asked_and_replaced(tmp_path: Path) -> None:
    config = foreign("fine", silentAfterSeconds=0.5)
    async with Daemon(tmp_path, config, PYTHONPATH=ROOT) as daemon:
        pid = (await daemon.status())["gateway"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        after = await daemon.wait(lambda s: working(s) and s["gateway"]["pid"] not in (None, pid))
        assert "no answer for" in after["gateway"]["lastError"]


async def test_the_configuration_of_a_foreign_gateway_is_repaired_once(tmp_path: Path) -> None:
    """Both programs run in the state directory, wherever the daemon was started."""
    repair = [sys.executable, "-c", "open('repaired', 'w').close()"]
    async with Daemon(
        tmp_path, foreign("damaged", repairCommand=repair), PYTHONPATH=ROOT
    ) as daemon:
        assert working(await daemon.status())
        assert (tmp_path / "state" / "repaired").exists()


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (foreign("damaged"), "Config invalid: run openclaw doctor --fix"),
        (foreign("damaged", repairCommand=["false"]), "Config invalid: run openclaw doctor --fix"),
        (foreign("damaged", repairCommand=["true"]), "Config invalid: run openclaw doctor --fix"),
        (foreign("hopeless"), "startup migrations already running"),
        ({"gateway": {"command": ["/no/such/program"]}}, "/no/such/program: No such file or"),
    ],
    ids=["damaged", "repair fails", "repair is no help", "hopeless", "no program"],
)
async def test_a_permanent_failure_needs_a_person(
    tmp_path: Path, config: dict[str, Any], reason: str
) -> None:
    async with beginning(Daemon(tmp_path, config, PYTHONPATH=ROOT)) as daemon:
        row = await phase(daemon, "failed")
        assert reason in row["lastError"]
        assert row["cause"] == "misconfigured"


async def test_a_running_gateway_is_attached_to_and_outlives_the_daemon(tmp_path: Path) -> None:
    async with running_alone() as (process, port):
        config = {"gateway": {"url": f"ws://127.0.0.1:{port}"}, "channels": {}}
        async with Daemon(tmp_path, config) as daemon:
            row = (await daemon.status())["gateway"]
            assert (row["kind"], row["pid"], row["port"]) == ("attached", None, port)
            assert len(daemon.family()) == 2, "supervisor and zygote: nothing was started"
            process.send_signal(signal.SIGUSR2)
            await daemon.wait(lambda s: working(s) and s["gateway"]["outages"] == 1)
            answer = await daemon.call("gateway.stop", {"shutdown": True})
            assert answer["shutdown"] == "INVALID_REQUEST: unknown method: shutdown"
            again = await daemon.call("gateway.stop", {"shutdown": True})
            assert again["shutdown"] == "it does not know the method shutdown"
            assert (await daemon.call("gateway.start"))["ok"]
        assert process.poll() is None
        assert await challenges(f"ws://127.0.0.1:{port}")


async def test_s074_an_attached_gateway_that_hangs_is_only_reconnected(
    tmp_path: Path,
) -> None:
    async with running_alone() as (process, port):
        gateway = {"url": f"ws://127.0.0.1:{port}", "silentAfterSeconds": 0.5}
        async with Daemon(tmp_path, {"gateway": gateway, "channels": {}}) as daemon:
            process.send_signal(signal.SIGSTOP)
            row = (await daemon.wait(lambda s: s["gateway"]["outages"] == 1))["gateway"]
            assert "no answer for" in row["lastError"]
            assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
            assert len(daemon.family()) == 2, "supervisor and zygote"
            process.send_signal(signal.SIGCONT)
            await daemon.wait(working)
            assert len(daemon.family()) == 2
        assert process.poll() is None


async def test_a_gateway_on_the_port_is_attached_to_only_if_configured(tmp_path: Path) -> None:
    async with running_alone() as (process, port):
        config: dict[str, Any] = {"gateway": {"port": port}, "channels": {}}
        daemon = Daemon(tmp_path, config)
        code, _, said = await daemon.command("up")
        assert code == 1
        assert f"in use by pid {process.pid}" in said
        assert "it is a gateway: gateway.attach" in said
        config["gateway"]["attach"] = "auto"
        daemon.write(config | {"channels": {"local": {"accounts": {"demo": {}}}}})
        code, _, said = await daemon.command("up")
        assert code == 78
        assert "channels.local.accounts.demo: cannot run beside a gateway" in said
        daemon.write(config)
        async with daemon:
            row = (await daemon.status())["gateway"]
            assert (row["kind"], row["connected"]) == ("attached", True)
        assert process.poll() is None


async def test_a_wrong_token_needs_a_person_and_is_not_shown(tmp_path: Path) -> None:
    async with running_alone() as (process, port):
        auth = {"token": "not-the-token-of-that-one"}
        config = {"gateway": {"url": f"ws://127.0.0.1:{port}", "auth": auth}, "channels": {}}
        async with beginning(Daemon(tmp_path, config)) as daemon:
            row = await phase(daemon, "failed")
            assert "token mismatch" in row["lastError"]
            assert auth["token"] not in row["lastError"]
        assert process.poll() is None


async def test_a_foreign_gateway_on_the_port_is_named_and_left_running(tmp_path: Path) -> None:
    async with running_alone() as (process, port):
        daemon = Daemon(tmp_path, foreign("fine", port=port), PYTHONPATH=ROOT)
        code, _, said = await daemon.command("up")
        assert code == 1
        assert f"pid {process.pid}" in said
        assert process.poll() is None
        await daemon.__aexit__()


async def test_a_requested_reload_sends_the_configured_signal(tmp_path: Path) -> None:
    config = foreign("fine", reloadSignal="SIGUSR2")
    async with Daemon(tmp_path, config, PYTHONPATH=ROOT) as daemon:
        pid = (await daemon.status())["gateway"]["pid"]
        assert (await daemon.call("config.reload"))["gateway"] == "signalled"
        status = await daemon.wait(lambda s: working(s) and s["gateway"]["outages"] == 1)
        assert status["gateway"]["pid"] == pid


async def test_a_gateway_that_ends_of_the_signal_is_restarted_without_a_failure(
    tmp_path: Path,
) -> None:
    config = foreign("fine", reloadSignal="SIGUSR1")
    async with Daemon(tmp_path, config, PYTHONPATH=ROOT) as daemon:
        pid = (await daemon.status())["gateway"]["pid"]
        assert (await daemon.call("config.reload"))["gateway"] == "signalled"
        status = await daemon.wait(lambda s: working(s) and s["gateway"]["pid"] not in (None, pid))
        assert status["gateway"]["failures"] == 0
