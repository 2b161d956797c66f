"""The end of the daemon, waited for."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_supervisor


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the supervisor's."""
    with subprocess.Popen(["sleep", "60"]) as found:
        yield found
        found.kill()


async def test_it_returns_when_the_process_is_gone(
    state: Path, process: subprocess.Popen[bytes]
) -> None:
    async def end(params: Any) -> Any:
        asyncio.get_running_loop().call_later(0.2, process.kill)
        return {"ok": True}

    async with fake_supervisor(state, version={"pid": process.pid}, shutdown=end):
        down = await trunkline(state, "down")
    assert (down.code, down.out) == (ExitCode.OK, f"stopped (pid {process.pid})\n")
    assert process.poll() is not None


async def test_a_process_that_does_not_end_is_a_timeout(
    state: Path, process: subprocess.Popen[bytes]
) -> None:
    async with fake_supervisor(state, version={"pid": process.pid}, shutdown={"ok": True}):
        down = await trunkline(state, "down", "--timeout", "0.2")
    down.complains(
        ExitCode.TIMEOUT, f"pid {process.pid}", "still ending after 0.2 s", "--timeout 60"
    )
