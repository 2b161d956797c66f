"""What the code of one account may do to the rest: tried by it, as a user without capabilities."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import faulty
from tests.support.daemon import CLI, TOKEN, Daemon
from tests.support.ordinary_user import ORDINARY
from tests.support.short_directory import ShortDirectory

pytestmark = pytest.mark.e2e

MIB = 2**20
SPY, PREY, SIBLING = "faulty:spy", "faulty:prey", "faulty:sibling"
ACCOUNTS: dict[str, Any] = {
    "spy": {"launcher": "exec"},
    "prey": {"launcher": "exec"},
    "sibling": {"launcher": "zygote"},
}

# Tries everything by which one process reads or drives another; 0 is a success, else an errno.
PRY = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
def called(value):
    if value < 0:
        raise OSError(ctypes.get_errno(), "")
def attach(pid):
    called(libc.ptrace(0x4206, pid, 0, 0))  # PTRACE_SEIZE, INTERRUPT, DETACH
    called(libc.ptrace(0x4207, pid, 0, 0))
    os.waitpid(pid, 0x40000000)
    called(libc.ptrace(17, pid, 0, 0))
def getfd(pid):
    fd = os.pidfd_open(pid)
    try:
        called(libc.syscall(438, fd, 0, 0))
    finally:
        os.close(fd)
def peek(pid):
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_uint64 * 2)(4096, 8)
    if libc.process_vm_readv(pid, local, 1, remote, 1, 0) < 0 and ctypes.get_errno() != 14:
        called(-1)  # 14: it may read, but there is nothing at that address
def pry(pid):
    files = ("environ", "mem", "maps", "smaps_rollup", "io")
    found = {name: tried(lambda: open(f"/proc/{pid}/{name}", "rb").close()) for name in files}
    found["fds"] = tried(lambda: os.listdir(f"/proc/{pid}/fd"))
    found["cwd"] = tried(lambda: os.readlink(f"/proc/{pid}/cwd"))
    for act in (attach, getfd, peek):
        found[act.__name__] = tried(lambda: act(pid))
    return found
result = json.dumps({pid: pry(pid) for pid in TARGETS})
"""


_probes = itertools.count(1)


async def probe(daemon: Daemon, key: str, code: str, **given: Any) -> str:
    """Run code within the worker of ``key``; return what it has found."""
    told = f"probe-{next(_probes)} "
    lines = [f"{name} = {value!r}" for name, value in {"TOLD": told, **given}.items()]
    code = "\n".join([*lines, code])
    client = await daemon.client()
    try:
        channel, account = key.split(":")
        params = {"channel": channel, "accountId": account, "to": "x", "idempotencyKey": told}
        message = f"probe {base64.b64encode(code.encode()).decode()}"
        await client.call("send", params | {"message": message})
    finally:
        await client.close()

    def detail(status: dict[str, Any]) -> str:
        return str(status["accounts"][key]["plugin"].get("detail") or "")

    status = await daemon.wait(lambda status: detail(status).startswith(told))
    return detail(status).removeprefix(told)


@asynccontextmanager
async def running(accounts: dict[str, Any], **supervisor: Any) -> AsyncIterator[Daemon]:
    """Run a daemon as an ordinary user, with these accounts of the channel ``faulty``."""
    with ShortDirectory() as directory:
        site = directory / "site"
        site.mkdir()
        config = {"channels": {"faulty": {"accounts": accounts}}, "supervisor": supervisor}
        daemon = Daemon(directory, config, PYTHONPATH=str(faulty.install(site)))
        daemon.run_as_ordinary_user()
        async with daemon:
            keys = [f"faulty:{name}" for name in accounts]
            await daemon.wait(lambda s: all(s["accounts"][key]["readyAt"] for key in keys))
            yield daemon


@pytest.fixture
def ordinary() -> Iterator[subprocess.Popen[bytes]]:
    """A program of the same user that hides nothing."""
    process = subprocess.Popen([*ORDINARY, "sleep", "600"])
    yield process
    process.kill()
    process.wait()


def leaves_no_core(pid: int) -> bool:
    limits = Path(f"/proc/{pid}/limits").read_text()
    return re.search(r"^Max core file size +0 ", limits, re.MULTILINE) is not None


async def test_no_account_can_look_into_another_process(
    ordinary: subprocess.Popen[bytes],
) -> None:
    async with running(ACCOUNTS) as daemon:
        status = await daemon.status()
        rows = status["accounts"]
        (zygote,) = (each for each in daemon.family() if each.name() == "tl zygote")
        hidden = {
            "supervisor": status["supervisor"]["pid"],
            "gateway": status["gateway"]["pid"],
            "zygote": zygote.pid,
            "of an interpreter of its own": rows[PREY]["pid"],
            "of the zygote": rows[SIBLING]["pid"],
        }
        for spy in (SPY, SIBLING):
            targets = [pid for pid in hidden.values() if pid != rows[spy]["pid"]]
            found = json.loads(await probe(daemon, spy, PRY, TARGETS=[*targets, ordinary.pid]))
            shown = found.pop(str(ordinary.pid))
            assert set(shown.values()) == {0}, shown  # or the rest would show nothing
            for pid, results in found.items():
                assert 0 not in results.values(), (spy, pid, results)
        for process in daemon.family():
            assert leaves_no_core(process.pid), process


@pytest.mark.parametrize("launcher", ["exec", "zygote"])
async def test_memory_limits_hold_for_what_the_supervisor_cannot_read(launcher: str) -> None:
    limits = {"memorySoftBytes": 64 * MIB, "recycleJitterSeconds": 0}
    accounts = {"one": {"launcher": launcher, "fault": "leak-memory"}}
    async with running(accounts, beatSeconds=0.2, limits=limits) as daemon:
        status = await daemon.wait(lambda s: s["accounts"]["faulty:one"]["restarts"])
        assert status["accounts"]["faulty:one"]["restartReasons"] == {"memory": 1}
        assert not [each for each in status["supervisor"]["warnings"] if "memory" in each]


@pytest.mark.parametrize("launcher", ["exec", "zygote"])
async def test_a_fork_that_hides_is_ended_after_the_supervisor_was_killed(launcher: str) -> None:
    fork = """
import os, time
pid = os.fork()
if not pid:
    os.setsid()
    time.sleep(600)
    os._exit(0)
result = str(pid)
"""
    async with running({"one": {"launcher": launcher}}) as daemon:
        pid = int(await probe(daemon, "faulty:one", fork))
        left = psutil.Process(pid)
        await asyncio.to_thread(daemon.kill)
        _, alive = await asyncio.to_thread(psutil.wait_procs, [left], 20)
        assert not alive


# How code of an account might reach the supervisor's socket: by itself, by what it starts, and by
# what has lost every tie to it.
CONNECT = """
import asyncio, json
from ipc.errors import IpcError
from ipc.websocket.client import Client
async def connect():
    try:
        client = await Client.connect(unix=PATH, timeout=10)
        return json.dumps(await client.call("gateway.access", {}))
    except IpcError as error:
        return str(error)
result = asyncio.run(connect())
"""
GRANDCHILD = """
import subprocess
done = subprocess.run(COMMAND, capture_output=True, text=True)
result = done.stdout + done.stderr
"""
ORPHAN = """
import ctypes, os, subprocess, time
if RENOUNCE:
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
out = PATH + ".out"
script = 'while kill -0 "$1"; do :; done; shift; "$@" >"$0" 2>&1; echo done >>"$0"'
middle = subprocess.Popen(
    ["sh", "-c", 'setsid sh -c "$@" &', "sh", script, out, "$$", *COMMAND], env={}
)
middle.wait()
while not os.path.exists(out) or "done" not in open(out).read():
    time.sleep(0.02)
result = open(out).read()
"""


async def test_no_account_can_operate_the_daemon() -> None:
    async with running(ACCOUNTS) as daemon:
        given = {
            "PATH": str(daemon.run_dir / "cli.sock"),
            "COMMAND": [sys.executable, "-c", CONNECT],
        }
        shown = [sys.executable, "-c", f"PATH = {given['PATH']!r}\n{CONNECT}\nprint(result)"]
        given["COMMAND"] = ["env", f"PYTHONPATH={daemon.env['PYTHONPATH']}", *shown]
        done = await asyncio.to_thread(
            subprocess.run, [*ORDINARY, *given["COMMAND"]], capture_output=True, text=True
        )
        assert TOKEN in done.stdout, done.stderr  # or the rest would show nothing
        for key in (SPY, SIBLING):
            for code, more in (
                (CONNECT, {}),
                (GRANDCHILD, {}),
                (GRANDCHILD, {"COMMAND": [*CLI, "status"]}),
                (ORPHAN, {"RENOUNCE": False}),
                (ORPHAN, {"RENOUNCE": True}),
            ):
                found = await probe(daemon, key, code, **given | more)
                assert "may not operate it" in found, (key, code, more)
                assert TOKEN not in found
