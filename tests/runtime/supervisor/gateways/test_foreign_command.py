"""A foreign program as a child: what it gets, what it does not, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.supervisor.lifecycle import MISCONFIGURED
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnedProcess, Spec
from runtime.zygote.prctl import set_subreaper

SECRET = "the-secret-of-the-test"
SHOW = """
import json, os, signal
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines()
              if ":\\t" in line)
print(json.dumps({
    "env": dict(os.environ),
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
    "session": os.getsid(0) == os.getpid(),
    "pipe": signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL,
    "ignored": status["SigIgn"],
    "stdin": os.readlink("/proc/self/fd/0"),
}), flush=True)
"""


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    set_subreaper()
    launcher = Launcher(run_id="run-of-the-test")
    launcher.start()
    yield launcher
    launcher.close()


def spec(*command: str, **env: str) -> Spec:
    return Spec(name="gateway#1", target="", payload=b"", command=command, env=env)


async def output(process: SpawnedProcess) -> bytes:
    """Return what it prints until it ends, and close its pipes."""

    def read() -> bytes:
        os.set_blocking(process.stdout, True)
        with open(process.stdout, "rb") as stdout:
            return stdout.read()

    text = await asyncio.to_thread(read)
    os.close(process.stderr)
    return text


async def test_a_foreign_program_gets_its_environment_and_nothing_else_of_ours(
    launcher: Launcher,
) -> None:
    process = await launcher.spawn(spec(sys.executable, "-c", SHOW, GIVEN=SECRET))
    seen = json.loads(await output(process))
    how = await process.wait()
    assert how.code == 0
    assert seen["env"]["GIVEN"] == SECRET
    assert seen["env"]["TRUNKLINE_RUN_ID"] == "run-of-the-test"
    assert seen["env"]["TRUNKLINE_PEER"] == "gateway#1"
    assert seen["env"].get("PYTHONPATH") == os.environ.get("PYTHONPATH")
    assert seen["fds"] == [0, 1, 2]
    assert seen["session"]
    assert seen["stdin"] == os.devnull
    assert int(seen["ignored"], 16) >> (signal.SIGINT - 1) & 1, "Ctrl-C is for the supervisor"
    # Python ignores SIGPIPE for itself at every start; SIGXFSZ it ignores too.


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def test_no_secret_is_ever_in_an_argument_list(launcher: Launcher) -> None:
    process = await launcher.spawn(spec("sleep", "60", GIVEN=SECRET))
    seen: set[bytes] = set()
    while not any(command.startswith(b"sleep") for command in seen):
        seen.add(command_of(process.pid))
        await asyncio.sleep(0)
    assert not [command for command in seen if SECRET.encode() in command]
    process.kill()
    await output(process)
    assert (await process.wait()).signal == signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "why"),
    [("/no/such/gateway", "No such file or directory"), ("/etc/passwd", "Permission denied")],
)
async def test_a_program_that_cannot_be_run_needs_a_person(
    launcher: Launcher, command: str, why: str
) -> None:
    process = await launcher.spawn(spec(command))
    await output(process)
    how = await process.wait()
    assert how.cause == MISCONFIGURED
    assert how.text == f"{command}: {why}"


async def test_its_whole_process_group_ends_with_it(launcher: Launcher) -> None:
    process = await launcher.spawn(spec("sh", "-c", "sleep 60 & echo $!; exec sleep 60"))
    pid = int(os.read(process.stdout, 100)) if await _readable(process.stdout) else 0
    pidfd = os.pidfd_open(pid)
    process.terminate()
    how = await process.wait()
    assert how.signal == signal.SIGTERM
    assert await _readable(pidfd), "the grandchild lives"
    os.close(pidfd)
    await output(process)


async def _readable(fd: int) -> bool:
    loop = asyncio.get_running_loop()
    there = loop.create_future()
    loop.add_reader(fd, lambda: None if there.done() else there.set_result(None))
    try:
        await asyncio.wait_for(there, 20)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
    return True
