"""Runs coroutine tests, and fails a test that leaves anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import inspect
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from hypothesis import settings

from tests.support.short_directory import ShortDirectory
from tests.support.strays import all_pids, end_strays
from tests.support.virtual import VirtualTimeLoop

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36  # prctl(2)

# The daily suite tries the same examples every time, so that a red run speaks of the change at
# hand; --full looks longer, and elsewhere each time.
settings.register_profile("default", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("full", max_examples=200, deadline=None)
settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the slow suites too")


# Inherited from a person's shell or a build server, it would hide faults of what we start.
HIDING = ("PYTHONUNBUFFERED", "PYTHONPATH")
# Temporary files of tests lie deeper than any TMPDIR: what has to be short and does not ask for a
# ``ShortDirectory`` fails here, and not only on another person's machine.
DEEP = "a-directory-with-quite-a-long-name-for-the-temporary-files-of-tests"


def _correct_inherited_environment() -> None:
    for name in HIDING:
        os.environ.pop(name, None)
    # Images of containers set it: each daemon of a test would compile hundreds of modules again,
    # and each process of pytest all tests.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # A shell without a terminal ignores it in what it starts in the background; nohup(1) the other.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    deep = Path(os.environ.get("TMPDIR") or "/tmp", f"{DEEP}-{os.geteuid()}")
    deep.mkdir(mode=0o700, exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(deep)


def pytest_configure(config: pytest.Config) -> None:
    _correct_inherited_environment()
    # The first loop of libuv makes a pipe that stays for the whole process: no test's leak.
    uvloop.new_event_loop().close()
    if config.getoption("--full"):
        settings.load_profile("full")


# Files whose tests take a minute and more together. At the end of the suite one of them would keep
# a single process busy when the others have nothing left to do.
LONG = (
    "tests/scenarios/test_model.py",
    "tests/e2e/test_nothing_is_lost.py",
    "tests/e2e/test_signals_at_start.py",
    "tests/workers/test_tutorial.py",
    "tests/workers/channels/telegram/test_conformance.py",
    "tests/workers/channels/discord/test_conformance.py",
    "tests/e2e/test_discord.py",
    "tests/workers/channels/slack/test_conformance.py",
    "tests/workers/channels/irc/test_conformance.py",
    "tests/workers/channels/webhook/test_conformance.py",
    "tests/workers/channels/local/test_conformance.py",
)


def _long_ones_first(items: list[pytest.Item]) -> None:
    """Move the tests of ``LONG`` to where the processes of xdist begin: each has a row of them."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0"))
    if not processes:
        return
    long: dict[str, list[pytest.Item]] = {name: [] for name in LONG}
    rest: list[pytest.Item] = []
    for item in items:
        long.get(item.nodeid.partition("::")[0], rest).append(item)
    files = [each for each in long.values() if each]
    share = -(-len(items) // processes)
    ordered: list[pytest.Item] = []
    for number in range(processes):
        begin = [item for file in files[number::processes] for item in file]
        room = max(share - len(begin), 0)
        ordered += [*begin, *rest[:room]]
        rest = rest[room:]
    items[:] = [*ordered, *rest]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _long_ones_first(items)
    if config.getoption("--full"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: runs with ops/check --full"))


def pytest_collection_finish() -> None:
    """Leave what is imported and collected out of every test's ``gc.collect``: a tenth of a
    second each.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test on its own loop; a task that outlives the test fails it."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    virtual = pyfuncitem.get_closest_marker("virtual_time") is not None
    names = pyfuncitem._fixtureinfo.argnames  # pytest shows it nowhere else
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    own = pyfuncitem.get_closest_marker("timeout")
    limit = float(own.args[0] if own else pyfuncitem.config.getini("timeout"))
    with asyncio.Runner(loop_factory=VirtualTimeLoop if virtual else uvloop.new_event_loop) as run:
        run.run(_leaving_no_task(pyfuncitem.obj, arguments, None if virtual else 0.9 * limit))
    return True


async def _leaving_no_task(test: Any, arguments: dict[str, Any], seconds: float | None) -> None:
    # Before pytest-timeout, whose exception uvloop gives to a callback: the test would go on.
    async with asyncio.timeout(seconds):
        await test(**arguments)
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not left, f"tasks left behind: {left}"


def _undo_what_a_supervisor_does() -> None:
    """Undo what tests have made of this process: others' orphans are not ours, and this user's
    processes may look into it.

    Orphans that came to us meanwhile and are dead already are reaped.
    """
    for option, value in ((PR_SET_CHILD_SUBREAPER, 0), (PR_SET_DUMPABLE, 1)):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    for child in _children_of(os.getpid()):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def _children_of(pid: int) -> set[int]:
    """Return the children of a process, as the kernel lists them: psutil would read every process
    that there is, some times per test.
    """
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as listed:
                found.update(map(int, listed.read().split()))
    return found


def _descendants() -> set[int]:
    """Return all processes below this one."""
    found: set[int] = set()
    left = [os.getpid()]
    while left:
        some = _children_of(left.pop()) - found
        found |= some
        left += some
    return found


def _open_files() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
    return found


def _umask() -> str:
    """Return this process's umask as proc(5) shows it; umask(2) could only tell by changing it."""
    status = Path("/proc/self/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("Umask:"))


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary directory in which sockets may lie, wherever ``TMPDIR`` leads."""
    with ShortDirectory() as place:
        yield place


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, a file descriptor, another umask or directory behind."""
    # The processes of these accounts live as long as the module, and are replaced.
    if "trunkline_accounts" in request.fixturenames:
        yield
        return
    children, files, umask, directory = _descendants(), _open_files(), _umask(), os.getcwd()
    others, made = all_pids(), len(ShortDirectory.every)
    yield
    assert _umask() == umask, "the umask is not what it was"
    moved = os.readlink("/proc/self/cwd")
    os.chdir(directory)  # whatever follows needs one that exists
    assert moved == directory, f"the working directory is {moved}"
    gc.collect()
    gc.freeze()  # what is still there is not looked at again after every other test
    _undo_what_a_supervisor_does()
    more = _descendants() - children
    assert not more, f"processes left behind: {[psutil.Process(pid).cmdline() for pid in more]}"
    own = [request.node.funcargs["tmp_path"]] if "tmp_path" in request.node.funcargs else []
    left = end_strays([*own, *ShortDirectory.every[made:]], others)
    assert not left, f"processes left behind, of some user: {left}"
    leaked = {
        fd: name
        for fd, name in _open_files().items()
        if files.get(fd) != name and not name.startswith(("/dev/", "/proc/", "anon_inode:[eventp"))
    }
    assert not leaked, f"file descriptors left behind: {leaked}"
