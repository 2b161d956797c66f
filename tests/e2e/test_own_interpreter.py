"""Accounts with an interpreter of their own in the real daemon (field ``python``)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.channel_packages import install
from tests.support.daemon import Daemon
from tests.support.virtualenvs import make_virtualenv

pytestmark = pytest.mark.e2e

SECRET = "TRUNKLINE_TEST_SECRET"
# What the plugin has started: in a session of its own, and deaf to SIGTERM.
STARTS = """
import subprocess, sys
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", deaf, "left behind"], start_new_session=True)
"""


def environ_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(each).partition("=")[::2] for each in entries)


def largest_core(pid: int) -> str:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4] for line in limits if line.startswith("Max core file size"))


async def test_an_interpreter_without_trunkline_is_reported_in_one_sentence(tmp_path: Path) -> None:
    python, _ = make_virtualenv(tmp_path / "venv", trunkline=False)
    accounts: dict[str, Any] = {"own": {"python": str(python)}, "b": {}}
    async with Daemon(tmp_path, {"channels": {"local": {"accounts": accounts}}}) as daemon:
        await daemon.wait_phase("local:b", "running")
        row = (await daemon.status())["accounts"]["local:own"]
        assert (row["phase"], row["configured"]) == ("stopped", False)
        code, out, _ = await daemon.command("channels", "describe", "local:own")
        assert code == 0
        assert f"{python} -m pip install trunkline" in " ".join(out.split())


@pytest.mark.slow
async def test_a_channel_installed_only_there_runs_with_all_guarantees(
    tmp_path: Path,
) -> None:
    python, site = make_virtualenv(tmp_path / "venv")
    install(site, "made_up", STARTS)
    config = {
        "channels": {
            "made_up": {"accounts": {"a": {"python": str(python), "rate": 5}}},
            "irc": {
                "accounts": {
                    "off": {
                        "enabled": False,
                        "server": "irc.invalid",
                        "nick": "n",
                        "password": {"source": "env", "id": SECRET},
                    }
                }
            },
        }
    }
    env = {SECRET: "x", "PYTHONPATH": str(tmp_path)}
    async with Daemon(tmp_path, config, **env) as daemon:
        await daemon.wait_phase("made_up:a", "running")
        told = await daemon.call("channels.describe", {"account": "made_up:a"})
        assert told["python"] == str(python)
        assert str(python) in (await daemon.command("channels", "describe", "made_up:a"))[1]
        worker = psutil.Process(told["status"]["pid"])
        assert worker.cmdline()[:2] == [str(python), "-I"]
        environ = environ_of(worker.pid)
        assert "TRUNKLINE_RUN_ID" in environ
        assert not {"PYTHONPATH", SECRET} & set(environ)
        assert largest_core(worker.pid) == "0"  # so it has hidden itself from its user
        await daemon.wait(lambda status: status["accounts"]["made_up:a"]["messagesIn"] > 0)
        left = [each for each in worker.children() if "left behind" in each.cmdline()]
        assert len(left) == 1
        daemon.kill()
        ends = time.monotonic() + 10
        while any(each.is_running() for each in (worker, *left)) and time.monotonic() < ends:
            os.sched_yield()
        assert not any(each.is_running() for each in (worker, *left))
