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

from tests.support import faulty, without_landlock
from tests.support.commandline import Result
from tests.support.daemon import CLI, ECHO, TOKEN, Daemon
from tests.support.ordinary_user import ORDINARY, give
from tests.support.short_directory import ShortDirectory
from workers.process.confinement import landlock_version

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
async def running(
    accounts: dict[str, Any],
    *,
    local: dict[str, Any] | None = None,
    under: tuple[str, ...] = (),
    **supervisor: Any,
) -> AsyncIterator[Daemon]:
    """Run a daemon as an ordinary user, with these accounts of the channel ``faulty``.

    ``local`` are the fields of an account of that channel, ``under`` is a program that runs the
    daemon. Waits until all are up that are not meant to fail.
    """
    with ShortDirectory() as directory:
        site = directory / "site"
        site.mkdir()
        channels: dict[str, Any] = {"faulty": {"accounts": accounts}}
        if local is not None:
            channels["local"] = {"accounts": {"one": local}}
        config = (ECHO if local else {}) | {"channels": channels, "supervisor": supervisor}
        daemon = Daemon(directory, config, PYTHONPATH=str(faulty.install(site)))
        daemon.run_as_ordinary_user()
        daemon.prefix += under
        async with daemon:
            await daemon.wait(lambda s: all(map(settled, s["accounts"].values())))
            yield daemon


def settled(row: dict[str, Any]) -> bool:
    return row["readyAt"] is not None or row["phase"] == "failed"


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
out = f"{PATH}.{TOLD.strip()}.out"
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


CONFINED: dict[str, Any] = {"inside": {"launcher": "exec", "confine": True}, "sibling": {}}
INSIDE = "faulty:inside"

# What a confined account must not do; 0 is a success, else an errno.
OUTSIDE = """
import json, os, signal, subprocess, tempfile
def tried(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
found = {path: tried(lambda: open(path).close()) for path in FILES}
found |= {f"list {path}": tried(lambda: os.listdir(path)) for path in DIRECTORIES}
for path in DIRECTORIES:
    found[f"make in {path}"] = tried(lambda: open(path + "/made", "w").close())
found |= {f"signal {pid}": tried(lambda: os.kill(pid, 0)) for pid in PIDS if VERSION >= 6}
found["program"] = subprocess.run(["cat", FILES[0]], stderr=subprocess.DEVNULL).returncode != 0
if VERSION >= 3:
    found["truncate"] = tried(lambda: os.truncate(FILES[0], 0))
result = json.dumps(found)
"""
# And what it must be able to do: whatever fails here is told.
NEEDED = """
import ctypes.util, glob, json, multiprocessing, os, socket, ssl, subprocess, tempfile, zoneinfo
import sqlite3, xml.dom.minidom, lib2to3.pytree  # whatever was not imported before
from pathlib import Path
done = []
storage = Path(ctx.storage)
(storage / "dir").mkdir(exist_ok=True)
(storage / "one").write_text("1")
(storage / "one").rename(storage / "two")
if VERSION >= 2:
    (storage / "two").rename(storage / "dir" / "three")
sqlite3.connect(storage / "data.sqlite").execute("create table if not exists t (a)")
with tempfile.NamedTemporaryFile() as file:
    assert file.name.startswith(str(storage)), file.name
assert Path.home() == storage
assert socket.getaddrinfo("localhost", 1)
assert ssl.create_default_context()
for each in glob.glob("/etc/ssl/certs/*.pem")[:3]:
    assert open(each).read()
if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
    assert zoneinfo.ZoneInfo("Europe/Berlin")
open("/dev/null", "w").write("x")
assert open("/dev/urandom", "rb").read(8)
assert open("/proc/self/status").read()
assert os.listdir("/proc/self/fd")
assert os.cpu_count()
assert subprocess.run(["sh", "-c", "echo $HOME; ls /proc/self/fd >/dev/null"], capture_output=True,
                      text=True, check=True).stdout.strip() == str(storage)
probe = socket.socket(socket.AF_UNIX)
probe.bind(str(storage / f"{os.getpid()}.sock"))
child = os.fork()
if not child:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
result = "all"
"""


async def test_a_confined_account_has_its_storage_and_nothing_else() -> None:
    async with running(CONFINED) as daemon:
        status = await daemon.status()
        rows = status["accounts"]
        state = daemon.directory / "state"
        given = {
            "FILES": [str(daemon.config_path), str(state / "holds.json"), "/etc/shells"],
            "DIRECTORIES": [str(state), str(state / "accounts" / "faulty:sibling"), "/tmp", "/etc"],
            "PIDS": [status["supervisor"]["pid"], rows["faulty:sibling"]["pid"]],
            "VERSION": landlock_version(),
        }
        shown = json.loads(await probe(daemon, "faulty:sibling", OUTSIDE, **given | {"VERSION": 1}))
        assert shown[str(daemon.config_path)] == 0  # or the rest would show nothing
        assert await probe(daemon, INSIDE, NEEDED, **given) == "all"
        found = json.loads(await probe(daemon, INSIDE, OUTSIDE, **given))
        assert 0 not in found.values(), found
        again = Result(*await daemon.command("channels", "restart", INSIDE, "--wait"))
        assert again.code == 0, again
        assert (await daemon.wait_phase(INSIDE, "running"))["failures"] == 0


async def test_a_confined_account_has_its_secrets_and_learns_of_new_ones() -> None:
    with ShortDirectory() as outside:
        secret = outside / "secret"
        secret.write_text("first")
        give(outside)
        accounts = {"inside": CONFINED["inside"] | {"token": {"source": "file", "id": str(secret)}}}
        async with running(accounts) as daemon:
            before = await daemon.wait_phase(INSIDE, "running")
            length = "result = str(len(ctx.config.token))"  # itself would be redacted
            assert await probe(daemon, INSIDE, length) == str(len("first"))
            secret.write_text("second")
            await daemon.call("secrets.reload")
            await daemon.wait(
                lambda s: (
                    s["accounts"][INSIDE]["incarnation"] > before["incarnation"]
                    and s["accounts"][INSIDE]["readyAt"]
                )
            )
            assert await probe(daemon, INSIDE, length) == str(len("second"))


async def test_without_landlock_a_confined_account_fails_with_the_reason() -> None:
    under = (sys.executable, "-P", str(Path(without_landlock.__file__)))
    async with running(CONFINED, under=under) as daemon:
        rows = (await daemon.status())["accounts"]
        assert (rows[INSIDE]["phase"], rows[INSIDE]["cause"]) == ("failed", "misconfigured")
        assert "this kernel has no Landlock" in rows[INSIDE]["lastError"]
        assert rows["faulty:sibling"]["phase"] == "running"


async def test_a_confined_local_account_is_reached_by_chat() -> None:
    async with running({}, local={"launcher": "exec", "confine": True}) as daemon:
        said = Result(*await daemon.command("chat", "local:one", "-m", "hello"))
        assert said.code == 0, said
        assert "hello" in said.out
