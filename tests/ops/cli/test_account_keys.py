"""The keys of accounts for the completion of a shell, at once."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ops.cli.account_keys import socket_path
from tests.support.commandline import PROGRAM, environment, trunkline, unmeasured
from tests.support.fakeserver import account, fake_supervisor, status

HEAVY = {"typer", "msgspec", "websockets", "zmq", "rich", "orjson", "structlog", "asyncio"}


async def test_keys_of_a_running_daemon(state: Path) -> None:
    many = status(*(account(f"local:{number}") for number in range(500)))
    many["agents"] = [account("agent:main")]
    async with fake_supervisor(state, supervisor__status=many):
        found = await trunkline(state, "__keys", "channels", "stop")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [*(f"local:{n}" for n in range(500)), "agent:main"]


async def test_without_a_daemon_there_are_none_and_nothing_is_said(state: Path) -> None:
    found = await trunkline(state, "__keys")
    assert (found.code, found.out, found.err) == (0, "", "")


def test_the_options_of_the_line_name_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", "")
    one, other = socket_path(["--state-dir", "/a", "x"]), socket_path(["--state-dir=/b"])
    assert one != other
    assert socket_path(["--profile", "p"]) == socket_path(["status", "--profile=p"])
    assert socket_path([]) == socket_path(["status"])
    assert socket_path(["--dev"]) == socket_path(["--profile", "dev"])


def test_it_imports_nothing_heavy_and_takes_a_tenth_of_a_second(state: Path) -> None:
    env = unmeasured(environment(state))
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "__keys"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert not imported & HEAVY

    def once() -> float:
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PROGRAM, "__keys"], env=env, check=True)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        return end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime

    assert min(once() for _ in range(5)) <= 0.1  # CPU time, the best of several
