"""Scheduled jobs of a real daemon: what is due while it is dead, and kills when it is due."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.words import Phase
from tests.support.daemon import Daemon
from tests.support.until import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]
JOB = {
    "name": "job",
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "report"},
    "delivery": {"mode": "none"},
}
SCRIPT = """#!/bin/sh
read words
echo "$words" >> "$TURNS"
echo done
"""


def config(directory: Path) -> dict[str, Any]:
    """Return a configuration whose agent writes down each turn that it has begun."""
    script = directory / "agent.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    entry = {
        "kind": "command",
        "command": [str(script)],
        "env": {"TURNS": str(directory / "turns")},
        "repeat": "never",
    }
    return {
        "agents": {"default": "main", "entries": {"main": entry}},
        "channels": {"local": {"accounts": {"one": {}}}},
    }


def turns(directory: Path) -> int:
    """Return how many turns the agent has begun."""
    file = directory / "turns"
    return len(file.read_text().splitlines()) if file.exists() else 0


async def ask(daemon: Daemon, method: str, params: dict[str, Any]) -> Any:
    """Ask the gateway."""
    client = await daemon.client()
    try:
        return await client.call(method, params)
    finally:
        await client.close()


def ready(status: dict[str, Any]) -> bool:
    return [row["phase"] for row in status["agents"]] == [Phase.RUNNING]


def later(pid: int) -> Callable[[dict[str, Any]], bool]:
    """Return what is true once another gateway than that of a process is there."""

    def true(status: dict[str, Any]) -> bool:
        gateway = status["gateway"]
        return gateway["pid"] != pid and gateway["connected"] and ready(status)

    return true


async def test_a_job_that_is_due_while_the_daemon_is_dead_runs_once_after_its_start(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, config(tmp_path)) as daemon:
        await daemon.wait(ready)
        at = round(time.time() * 1000) + 4_000
        schedule = {"kind": "at", "at": str(at)}
        await ask(daemon, "cron.add", JOB | {"schedule": schedule})
        daemon.kill()
        await until(lambda: time.time() * 1000 > at + 500)
        assert turns(tmp_path) == 0
        await daemon.start()
        await until(lambda: turns(tmp_path) == 1)
        jobs = await daemon.command("cron", "list", "--all", "--json")
        assert '"total": 0' in jobs[1]  # it was for one time
        pid = (await daemon.status())["gateway"]["pid"]
        os.kill(pid, signal.SIGKILL)
        await daemon.wait(later(pid))
        assert turns(tmp_path) == 1


async def test_no_planned_time_begins_two_runs_whenever_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, config(tmp_path)) as daemon:
        await daemon.wait(ready)
        job = JOB | {"schedule": {"kind": "every", "everyMs": 2000}}
        made = await ask(daemon, "cron.add", job)
        planned = made["state"]["nextRunAtMs"]
        for number in range(6):  # from before the moment that a run is due until after it
            wait = planned / 1000 + (number - 2) * 0.01 - time.time()
            await asyncio.sleep(max(wait, 0))  # the moment itself is what is tried
            pid = (await daemon.status())["gateway"]["pid"]
            os.kill(pid, signal.SIGKILL)
            await daemon.wait(later(pid))
            planned = (await ask(daemon, "cron.get", {"id": made["id"]}))["nextRunAtMs"]
        runs = (await ask(daemon, "cron.runs", {"id": made["id"]}))["entries"]
        times = [each["runId"] for each in runs]
        assert len(set(times)) == len(times) > 0
        assert turns(tmp_path) <= len(times) + 1  # and the one that is under way
        assert all(each["status"] in ("ok", "error") for each in runs)
