"""The daemon starts in the background and stops on signals, beside a worker that ignores them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commandline import Result
from tests.support.daemon import FAST, Daemon
from tests.support.until import PATIENCE

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}, "two": {}}}}}


async def all_gone(family: list[psutil.Process]) -> bool:
    """Wait for the end of processes; false when one is left after a while."""
    _, left = await asyncio.to_thread(psutil.wait_procs, family, PATIENCE)
    return not left


async def test_a_detached_daemon_runs_until_it_is_stopped(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LOCAL)
    up = Result(*await daemon.command("up", "--detach"))
    assert (up.code, up.err) == (0, "")
    try:
        supervisor = psutil.Process((await daemon.status())["supervisor"]["pid"])
        for key in ("local:one", "local:two"):
            await daemon.wait_phase(key, "running")
        family = [supervisor, *supervisor.children(recursive=True)]
        assert os.getsid(supervisor.pid) == supervisor.pid
        for args in (["up"], ["up", "--detach"], ["up", "--force"]):
            second = Result(*await daemon.command(*args))
            second.complains(1, f"pid {supervisor.pid}", "trunkline down")
        assert supervisor.is_running()
    finally:
        down = Result(*await daemon.command("down"))
    assert (down.code, down.out) == (0, f"stopped (pid {supervisor.pid})\n")
    assert await all_gone(family)
    Result(*await daemon.command("down")).complains(3, "trunkline up")
    assert not list(daemon.run_dir.glob("*.sock"))
    await daemon.__aexit__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_ends_everything_in_order(tmp_path: Path, number: int) -> None:
    async with Daemon(tmp_path, LOCAL) as daemon:
        for key in ("local:one", "local:two"):
            await daemon.wait_phase(key, "running")
        family = daemon.family()
        assert daemon.process is not None
        daemon.process.send_signal(number)
        assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0
        assert await all_gone(family)
        assert "Traceback" not in daemon.output.read_text()
        assert not list(daemon.run_dir.glob("*.sock"))


async def test_a_second_signal_does_not_wait_for_an_account_that_ignores_the_stop(
    tmp_path: Path, faulty_path: str
) -> None:
    rebels = {"accounts": {"one": {"fault": "ignore-term"}, "two": {"fault": "uncancellable"}}}
    config = {
        "channels": {"faulty": rebels, **LOCAL["channels"]},
        "supervisor": {"restart": FAST | {"stopWithinSeconds": 25}},
    }
    async with Daemon(tmp_path, config, PYTHONPATH=faulty_path) as daemon:
        for key in ("faulty:one", "faulty:two", "local:one", "local:two"):
            await daemon.wait_phase(key, "running")
        family = daemon.family()
        process = daemon.process
        assert process is not None
        process.send_signal(signal.SIGINT)
        stopping = ("local:one", "local:two")
        await daemon.wait(lambda s: all(s["accounts"][k]["phase"] == "stopped" for k in stopping))
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0
        assert time.monotonic() - began < 5
        assert await all_gone(family)
