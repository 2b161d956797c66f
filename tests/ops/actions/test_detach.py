"""The daemon in the background, up when the command returns."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
import pytest

from ops.exits import ExitCode
from tests.support import commandline
from tests.support.commandline import trunkline
from workers.testing.ports import free_port

pytestmark = pytest.mark.e2e


def _lives(pid: int) -> bool:
    """Say whether the process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_detached_it_is_up_when_the_command_returns(state: Path) -> None:
    up = await trunkline(state, "up", "--detach", "--port", str(free_port()))
    try:
        assert (up.code, up.err) == (ExitCode.OK, "")
        assert up.out.endswith("`trunkline down` ends it.\n")
        health = await trunkline(state, "gateway", "health")
        assert (health.code, health.out) == (ExitCode.OK, "ok\n")
        second = await trunkline(state, "up", "--detach", "--port", str(free_port()))
        first_pid = (await trunkline(state, "status", "--json")).json["supervisor"]["pid"]
        second.complains(ExitCode.ERROR, str(first_pid))
        chat = await trunkline(state, "chat", "local:demo", "-m", "hello")
        assert chat.out == "echo: hello\n"
    finally:
        down = await trunkline(state, "down")
    assert (down.code, down.out) == (ExitCode.OK, f"stopped (pid {first_pid})\n")
    assert not _lives(first_pid)
    (await trunkline(state, "down")).complains(ExitCode.NOT_RUNNING)


async def test_detached_it_tells_why_it_did_not_come_up(state: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = str(stranger.getsockname()[1])
        result = await trunkline(state, "up", "--detach", "--port", port)
    assert result.code == ExitCode.ERROR
    assert port in result.err
    assert str(os.getpid()) in result.err
    (state / "trunkline.json5").write_text("{")
    wrong = await trunkline(state, "up", "--detach")
    wrong.complains(ExitCode.CONFIGURATION, "trunkline.json5")


async def test_a_named_pipe_in_the_place_of_its_output_is_not_waited_for(state: Path) -> None:
    (state / "logs").mkdir()
    os.mkfifo(state / "logs" / "up.log")
    result = await trunkline(state, "up", "--detach")
    result.complains(ExitCode.ERROR, "up.log: No such device or address")


async def test_detached_it_tells_why_though_the_disk_is_full(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even its own words can be written to a file."""
    monkeypatch.setattr(commandline, "PROGRAM", commandline.ON_A_FULL_DISK)
    result = await trunkline(state, "up", "--detach")
    result.complains(ExitCode.ERROR, "trunkline.json5", "cannot be written: File too large")
