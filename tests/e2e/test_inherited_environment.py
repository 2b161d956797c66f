"""The daemon starts, restarts an account and ends, whatever it inherits from who starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commandline import Result, unmeasured
from tests.support.daemon import Daemon
from tests.support.ordinary_user import may_look_into, need_ordinary_user
from tests.support.until import PATIENCE

pytestmark = pytest.mark.e2e

LOCAL: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}
AS_MODULES = """mkdir -p odd/runtime odd/ipc && cd odd && touch runtime/__init__.py ipc/__init__.py
for name in queue string uvloop msgspec logging; do echo 'raise SystemExit(9)' > $name.py; done
"""
BLOCKED = (
    f"{sys.executable} -c 'import os, signal, sys; "
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); "
    'os.execv(sys.argv[1], sys.argv[1:])\' "$@"'
)
INHERITED = {
    "files named like modules in the current directory": f'{AS_MODULES} exec "$@"',
    "a current directory that is gone": 'mkdir gone; cd gone; rmdir ../gone; exec "$@"',
    "no stdin": 'exec "$@" <&-',
    "no stdout": 'exec "$@" >&-',
    "no stderr": 'exec "$@" 2>&-',
    "no stdout and no stderr": 'exec "$@" >&- 2>&-',
    "no standard stream at all": 'exec "$@" <&- >&- 2>&-',
    "stdin is a pipe": 'mkfifo pipe; exec "$@" <>pipe',
    "stdout is full": 'exec "$@" >/dev/full',
    "umask 0": 'umask 0; exec "$@"',
    "umask 777": 'umask 777; exec "$@"',
    "few open files, softly": 'ulimit -Sn 32; exec "$@"',
    "ignored signals": "trap '' TERM CHLD INT HUP USR1 USR2; exec \"$@\"",
    "blocked signals": f"exec {BLOCKED}",
    "no home": 'unset HOME; exec "$@"',
    "an odd locale": 'export LC_ALL=xx_YY.ISO-8859-1 PYTHONUTF8=0; exec "$@"',
    "no directory for temporary files": 'export TMPDIR=/no/such; exec "$@"',
    "a child of the shell that became us": 'sleep 600 <&- >&- 2>&- & echo $! >child; exec "$@"',
}


def in_shell(daemon: Daemon, directory: Path, script: str) -> None:
    """Have the daemon started by a shell in a directory of the test."""
    daemon.prefix = ("sh", "-c", f'cd "$0"; {script}', str(directory))


def check_process(process: psutil.Process, state: Path) -> None:
    """Assert that a process of the daemon is in a directory of ours, with its three streams."""
    if not may_look_into(process.pid):
        return
    # The zygote of a first start is there before the state directory.
    assert process.cwd() in (str(state), "/"), process.cmdline()
    assert all(Path(f"/proc/{process.pid}/fd/{fd}").exists() for fd in range(3))


def open_to_others(path: Path) -> bool:
    return not path.is_symlink() and bool(path.stat().st_mode & 0o077)


@pytest.mark.parametrize("script", INHERITED.values(), ids=INHERITED)
async def test_the_daemon_runs_whatever_it_inherits(tmp_path: Path, script: str) -> None:
    daemon = Daemon(tmp_path, LOCAL)
    in_shell(daemon, tmp_path, script)
    async with daemon:
        before = await daemon.wait_phase("local:one", "running")
        daemon.prefix = ()
        again = Result(*await daemon.command("channels", "restart", "local:one", "--wait"))
        assert again.code == 0, again
        after = await daemon.wait_phase("local:one", "running")
        assert after["incarnation"] > before["incarnation"]
        state = tmp_path / "state"
        child = tmp_path / "child"  # of the shell; it is not ours
        stranger = {int(child.read_text())} if child.exists() else set()
        family = [each for each in daemon.family() if each.pid not in stranger]
        for process in family:
            check_process(process, state)
        assert not [each for each in state.rglob("*") if open_to_others(each)]
        assert await asyncio.to_thread(daemon.end) == 0
        _, left = await asyncio.to_thread(psutil.wait_procs, family, PATIENCE)
        assert not left
        assert "Traceback" not in daemon.output.read_text()
        for pid in stranger:
            psutil.Process(pid).kill()  # it has lived on


async def test_a_directory_that_is_deleted_later_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    daemon = Daemon(tmp_path, LOCAL | {"supervisor": {"limits": {}}})
    in_shell(daemon, tmp_path / "gone", 'exec "$@"')
    async with daemon:
        await daemon.wait_phase("local:one", "running")
        (tmp_path / "gone").rmdir()
        daemon.prefix = ()
        again = Result(*await daemon.command("channels", "restart", "local:one", "--wait"))
        assert again.code == 0, again
        assert (await daemon.command("gateway", "restart"))[0] == 0
        await daemon.wait(lambda status: status["gateway"]["connected"])


async def test_too_few_open_files_is_said_at_once(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, LOCAL)
    in_shell(daemon, tmp_path, 'ulimit -n 32; exec "$@"')
    for command in (["up"], ["up", "--detach"]):
        Result(*await daemon.command(*command)).complains(1, "only 32 files", "ulimit")
    await daemon.__aexit__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a passwd entry")
@pytest.mark.parametrize("home", ["unset HOME", "HOME="])
async def test_no_home_is_said_in_one_sentence(tmp_path: Path, home: str) -> None:
    need_ordinary_user()
    daemon = Daemon(tmp_path, LOCAL)
    daemon.env = unmeasured(daemon.env)
    for name in ("TRUNKLINE_STATE_DIR", "TRUNKLINE_CONFIG_PATH", "TRUNKLINE_RUNTIME_DIR"):
        del daemon.env[name]
    in_shell(daemon, Path("/"), f'{home}; exec setpriv --reuid 4242 --clear-groups "$@"')
    for command in (["up"], ["up", "--detach"], ["status"], ["config", "path"]):
        Result(*await daemon.command(*command)).complains(78, "HOME", "TRUNKLINE_STATE_DIR")
    await daemon.__aexit__()


CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc")


def may_be_process_1() -> bool:
    return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0


async def test_as_process_1_it_reaps_the_orphans_of_others(tmp_path: Path) -> None:
    if not may_be_process_1():
        pytest.skip("a container of its own needs root")
    daemon = Daemon(tmp_path, LOCAL)
    orphans = "(sleep 2; for i in 1 2 3; do (setsid sleep 0.2 &); done; (setsid sleep 600 &)) &"
    in_shell(daemon, tmp_path, f'{orphans} exec "$@"')
    daemon.prefix = (*CONTAINER, *daemon.prefix)
    async with daemon:
        await daemon.wait_phase("local:one", "running")
        assert daemon.process is not None
        (first,) = psutil.Process(daemon.process.pid).children()

        def strangers() -> list[str]:
            children = [each for each in first.children() if each.name() == "sleep"]
            return sorted(each.status() for each in children)

        deadline = asyncio.get_running_loop().time() + PATIENCE
        while strangers() != ["sleeping"]:  # three have ended and are reaped, one runs on
            assert asyncio.get_running_loop().time() < deadline, strangers()
            await asyncio.sleep(0.1)
        daemon.prefix = ()
        for _ in range(3):  # the exit statuses of our own are not taken by anybody else
            again = Result(*await daemon.command("channels", "restart", "local:one", "--wait"))
            assert again.code == 0, again
        assert (await daemon.wait_phase("local:one", "running"))["failures"] == 0
        assert strangers() == ["sleeping"]
        first.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0
