"""The command line as a whole: fast, light, and quiet when its reader has enough."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest

from ops.exits import ExitCode
from tests.ops.conftest import CommandLine
from tests.support.commandline import (
    PROGRAM,
    cpu_beside_bare_python,
    environment,
    started,
    unmeasured,
)
from tests.support.fakeserver import (
    account,
    fake_supervisor,
    status,
)
from tests.support.until import until

HEAVY = ("pydantic", "rich", "msgspec", "websockets", "aiohttp", "uvloop", "zmq", "structlog")


def test_help_takes_a_few_starts_of_python(state: Path) -> None:
    assert cpu_beside_bare_python(unmeasured(environment(state)), "--help") <= 15  # 6 by itself


def imported(state: Path, command: str) -> set[str]:
    """Return the modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], *command.split()],
        env=environment(state),
        capture_output=True,
        text=True,
        check=False,
    )
    found = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in found
    return found


@pytest.mark.parametrize("command", ["--help", "version"])
def test_a_light_command_imports_nothing_heavy(state: Path, command: str) -> None:
    assert not imported(state, command).intersection(HEAVY)


@pytest.mark.parametrize(
    "command",
    ["config path", "channels list", "service install --system --user", "gateway --help"],
)
def test_a_command_of_a_group_does_not_import_typer_s_pydantic(state: Path, command: str) -> None:
    """The group has an option, too: its help, which the parser makes on demand."""
    assert "pydantic" not in imported(state, command)


def test_without_a_command_the_help_is_shown_as_a_mistake(cli: CommandLine) -> None:
    result = cli("")
    assert (result.code, result.out) == (2, "")
    assert "\nDaemon:\n" in result.err


def test_the_version_is_printed(cli: CommandLine) -> None:
    assert cli("--version").out == cli("version").out
    assert cli("version --json").json["version"] in cli("version").out


async def test_a_reader_that_has_enough_is_no_error(state: Path) -> None:
    many = status(*(account(f"local:{number}") for number in range(5000)))
    async with (
        fake_supervisor(state, supervisor__status=many),
        started(state, "status") as process,
    ):
        assert process.stdout is not None
        await process.stdout.readline()
        process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # `head -1`
        assert process.stderr is not None
        assert await process.stderr.read() == b""
        assert await process.wait() == ExitCode.OK


async def test_a_reader_that_closes_a_socket_is_no_error(state: Path) -> None:
    """The write that waits for room is reset then; that to a pipe finds it broken."""
    many = status(*(account(f"local:{number}") for number in range(5000)))
    ours, theirs = socket.socketpair()
    async with fake_supervisor(state, supervisor__status=many):
        with ours:
            ours.setblocking(False)
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *PROGRAM, "status", stdout=theirs.fileno(), stderr=PIPE, env=environment(state)
                )
            await asyncio.get_running_loop().sock_recv(ours, 1)
            writer = psutil.Process(process.pid)
            await until(lambda: writer.status() == psutil.STATUS_SLEEPING)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (ExitCode.OK, b"")
