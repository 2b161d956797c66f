"""The supervisor's absence, silence and loss, each with its exit code."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ops.cli.quick_link import supervisor_link
from ops.connect.gateway import own_address
from ops.exits import ExitCode, OperatorError
from runtime.config.places import resolve
from tests.ops.conftest import CommandLine
from tests.support.commandline import trunkline
from tests.support.fakeserver import (
    fake_supervisor,
)
from workers.testing.ports import free_port

NEEDS_A_SUPERVISOR = [
    "status",
    "down",
    "watch",
    "logs",
    "logs -f",
    "chat local:demo",
    "wait local:demo",
    "channels status",
    "channels describe local:demo",
    "channels start local:demo",
    "channels stop local:demo",
    "channels restart local",
    "channels reset --all",
    "channels drain local:demo",
    "channels events local:demo",
    "channels logs local:demo",
    "channels holds",
    "gateway status",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "gateway health",
    "gateway call health",
    "message send --account local:demo -t x -m y",
]


@pytest.mark.parametrize("command", NEEDS_A_SUPERVISOR)
def test_without_a_supervisor_local_verbs_fail_fast(cli: CommandLine, command: str) -> None:
    cli(command).complains(ExitCode.NOT_RUNNING, "trunkline up", "/tl-")


async def test_a_socket_that_a_dead_supervisor_left_is_not_running(state: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(state / "cli.sock"))
    (await trunkline(state, "status")).complains(ExitCode.NOT_RUNNING, "trunkline up")


async def test_a_supervisor_that_hangs_is_a_timeout(state: Path) -> None:
    async with fake_supervisor(state) as fake:
        fake.hangs = True
        (await trunkline(state, "status")).complains(
            ExitCode.TIMEOUT, "does not answer", "cli.sock", "`trunkline doctor` says what to do"
        )


async def test_whoever_has_made_the_directory_of_the_sockets_is_not_asked(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user can in /tmp; what answers there would name the command that gets a secret."""
    ran = tmp_path / "ran"
    access = {"url": "ws://127.0.0.1:1", "token": {"source": "exec", "id": f"touch {ran}"}}
    places = resolve({"TRUNKLINE_STATE_DIR": str(state), "TRUNKLINE_RUNTIME_DIR": str(state)})
    async with fake_supervisor(state, gateway__access=access | {"password": None}) as fake:
        monkeypatch.setattr("ipc.endpoints.os.geteuid", lambda: os.getuid() + 1)
        with pytest.raises(OperatorError, match=r"belongs to user .*TRUNKLINE_RUNTIME_DIR"):
            await own_address(places)
        with pytest.raises(PermissionError), supervisor_link(str(state / "cli.sock")):
            pass
        monkeypatch.undo()
        assert not fake.asked
    assert not ran.exists()


@pytest.mark.e2e
async def test_two_runtimes_never_share_a_runtime_directory(state: Path, tmp_path: Path) -> None:
    other = str(tmp_path)  # its sockets would lie where those of state do
    try:
        assert (
            await trunkline(state, "up", "--detach", "--port", str(free_port()))
        ).code == ExitCode.OK
        pid = (await trunkline(state, "status", "--json")).json["supervisor"]["pid"]
        second = await trunkline(
            state, "up", "-q", "--port", str(free_port()), TRUNKLINE_STATE_DIR=other
        )
        second.complains(ExitCode.ERROR, f"pid {pid}", str(state), "TRUNKLINE_RUNTIME_DIR")
        for command in ("status", "down", "channels restart local:demo"):
            result = await trunkline(state, *command.split(), TRUNKLINE_STATE_DIR=other)
            result.complains(ExitCode.NOT_RUNNING, other, f"that of {state}")
        chat = await trunkline(state, "chat", "local:demo", "-m", "hello")
        assert chat.out == "echo: hello\n"
    finally:
        down = await trunkline(state, "down")
    assert down.code == ExitCode.OK
