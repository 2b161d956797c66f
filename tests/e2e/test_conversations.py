"""Agents in processes of their own under the real daemon: each message is answered once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon
from tests.support.person import talking
from tests.support.restarts import kill_gateway

pytestmark = pytest.mark.e2e

CONFIG: dict[str, Any] = {
    "agents": {"default": "main", "entries": {"main": {"kind": "echo"}}},
    "supervisor": {"restart": {"initialSeconds": 0.2}},
    "channels": {"local": {"accounts": {"a": {}}}},
}


async def test_an_agent_and_a_gateway_that_are_killed_answer_each_message_once(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        await daemon.wait_phase("local:a", "running")
        status = await daemon.wait(lambda found: _agent(found)["phase"] == "running")
        async with talking(daemon, "a") as person:
            await person.is_answered("one")
            os.kill(_agent(status)["pid"], signal.SIGKILL)
            await person.is_answered("two")  # it waits for the next incarnation
            await kill_gateway(daemon)
            await person.is_answered("three")


def _agent(status: dict[str, Any]) -> dict[str, Any]:
    return next(dict(row) for row in status["agents"] if row["account"] == "agent:main")
