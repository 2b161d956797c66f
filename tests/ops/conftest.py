"""A state directory for one runtime, with short paths for its sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from ops.cli.main import run
from tests.support.commandline import Result, environment
from tests.support.short_directory import ShortDirectory

CommandLine = Callable[[str], Result]


@pytest.fixture
def state() -> Iterator[Path]:
    """The state directory of one runtime."""
    with ShortDirectory() as path:
        yield path


@pytest.fixture
def cli(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> CommandLine:
    """Run a command line within this process: what needs no second process needs not start one."""
    for name in list(os.environ):
        if name.startswith(("TRUNKLINE_", "OPENCLAW_", "XDG_")):
            monkeypatch.delenv(name)
    for name, value in environment(state).items():
        monkeypatch.setenv(name, value)

    def command(line: str) -> Result:
        # `up` changes both for its process, which is this one here.
        umask, directory = os.umask(0o022), os.getcwd()
        try:
            code = run(line.split())
        finally:
            os.umask(umask)
            os.chdir(directory)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return command


@pytest.fixture(scope="session", autouse=True)
def first_process() -> None:
    """Start one program: libuv opens a pipe then that stays, which is not the first test's leak."""

    async def start() -> None:
        await (await asyncio.create_subprocess_exec("true")).wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start())
