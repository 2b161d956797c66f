"""``up`` and ``down`` with the real daemon."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import psutil
import pytest

from ops.exits import ExitCode
from tests.support.commandline import ended, line, started, trunkline

pytestmark = pytest.mark.e2e


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _lives(pid: int) -> bool:
    """Say whether the process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_up_in_the_foreground_says_where_and_what_next(home: Path) -> None:
    port = free_port()
    async with started(home, "up", "--port", port) as process:
        said = [await line(process)]
        while "Ctrl-C" not in said[-1]:
            said.append(await line(process))
        text = "\n".join(said)
        for word in (f"ws://127.0.0.1:{port}", "trunkline.json5", "chat local:demo", "watch"):
            assert word in text
        process.send_signal(2)
        result = await ended(process)
    assert (result.code, result.err) == (ExitCode.OK, "")
    assert oct((home / "trunkline.json5").stat().st_mode & 0o777) == "0o600"


async def test_detached_it_is_up_when_the_command_returns(home: Path) -> None:
    up = await trunkline(home, "up", "--detach", "--port", free_port())
    try:
        assert (up.code, up.err) == (ExitCode.OK, "")
        assert up.out.endswith("`trunkline down` ends it.\n")
        health = await trunkline(home, "gateway", "health")
        assert (health.code, health.out) == (ExitCode.OK, "ok\n")
        second = await trunkline(home, "up", "--detach", "--port", free_port())
        first_pid = (await trunkline(home, "status", "--json")).json["supervisor"]["pid"]
        second.complains(ExitCode.ERROR, str(first_pid))
        chat = await trunkline(home, "chat", "local:demo", "-m", "hello")
        assert chat.out == "echo: hello\n"
    finally:
        down = await trunkline(home, "down")
    assert (down.code, down.out) == (ExitCode.OK, f"stopped (pid {first_pid})\n")
    assert not _lives(first_pid)
    (await trunkline(home, "down")).complains(ExitCode.NOT_RUNNING)


async def test_detached_it_tells_why_it_did_not_come_up(home: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = str(stranger.getsockname()[1])
        result = await trunkline(home, "up", "--detach", "--port", port)
    assert result.code == ExitCode.ERROR
    assert port in result.err
    assert str(os.getpid()) in result.err
    (home / "trunkline.json5").write_text("{")
    wrong = await trunkline(home, "up", "--detach")
    wrong.complains(ExitCode.CONFIGURATION, "trunkline.json5")


async def test_two_runtimes_never_share_a_runtime_directory(home: Path, tmp_path: Path) -> None:
    other = str(tmp_path)  # its sockets would lie where those of home do
    try:
        assert (await trunkline(home, "up", "--detach", "--port", free_port())).code == ExitCode.OK
        pid = (await trunkline(home, "status", "--json")).json["supervisor"]["pid"]
        second = await trunkline(home, "up", "-q", "--port", free_port(), TRUNKLINE_STATE_DIR=other)
        second.complains(ExitCode.ERROR, f"pid {pid}", str(home), "TRUNKLINE_RUNTIME_DIR")
        for command in ("status", "down", "channels restart local:demo"):
            result = await trunkline(home, *command.split(), TRUNKLINE_STATE_DIR=other)
            result.complains(ExitCode.NOT_RUNNING, other, f"that of {home}")
        chat = await trunkline(home, "chat", "local:demo", "-m", "hello")
        assert chat.out == "echo: hello\n"
    finally:
        down = await trunkline(home, "down")
    assert down.code == ExitCode.OK


async def test_a_gateway_that_cannot_start_is_told_at_once(home: Path) -> None:
    configuration = home / "trunkline.json5"
    port = free_port()
    configuration.write_text(
        f'{{gateway: {{port: {port}, auth: {{token: {{source: "env", id: "NOT_SET"}}}}}},'
        "channels: {local: {accounts: {demo: {}}}}}"
    )
    configuration.chmod(0o600)
    async with started(home, "up") as process:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            said = [(await process.stderr.readline()).decode() for _ in range(2)]
        process.send_signal(2)
        await ended(process)
    assert said[0] == (
        "trunkline: the gateway does not start: the environment variable NOT_SET is not set\n"
    )
    assert "not tried again" in said[1]
    try:
        result = await trunkline(home, "up", "--detach")
        assert (result.code, result.out) == (ExitCode.CONFIGURATION, "")
        assert "NOT_SET is not set" in result.err
        assert "trunkline down" in result.err
        configuration.write_text(configuration.read_text().replace("NOT_SET", "HOME"))
        async with started(home, "watch") as watching:  # the daemon sees the change by itself
            while "gateway" not in (said_now := await line(watching)) or "run" not in said_now:
                pass
        assert (await trunkline(home, "gateway", "health")).code == ExitCode.OK
    finally:
        await trunkline(home, "down")


def modes(directory: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mode & 0o777 for path in directory.rglob("*")}


async def test_nothing_that_is_made_is_for_others(home: Path) -> None:
    try:
        assert (await trunkline(home, "up", "--detach", "--port", free_port())).code == ExitCode.OK
        await trunkline(home, "channels", "restart", "local:demo", "--wait")
        made = modes(home)
        assert {path.name for path in made} >= {"accounts", "history.jsonl", "control.ipc", "logs"}
        assert {path: oct(mode) for path, mode in made.items() if mode & 0o077} == {
            home / "run": "0o777"  # a link, which has no mode
        }
        (home / "trunkline.json5").chmod(0o644)
        told = await trunkline(home, "config", "reload")
        assert "holds secrets and others may read it" in told.out
        assert "others may read it" in (await trunkline(home, "status")).out
        assert "others may read it" in (home / "logs" / "supervisor.log").read_text()
    finally:
        await trunkline(home, "down")
