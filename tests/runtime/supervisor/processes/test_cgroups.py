"""Control groups: real ones where this machine has them, and their files where it has not.

The kernel here may keep its controllers in the tree of version 1. Then whatever needs none of
them is tested with real groups, and what the controllers do is tested by ``ops/check`` on a
machine that has them (docs/isolation.md, Limits).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runtime.supervisor.lifecycle import OUT_OF_MEMORY
from runtime.supervisor.processes.cgroups import (
    CONTROLLERS,
    LEAF,
    PREFIX,
    ControlGroups,
    GroupLimits,
    Unusable,
    delegated,
)
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import Spec
from runtime.zygote.prctl import set_subreaper
from tests.support.until import until

MIB = 2**20


def mounted() -> Path:
    """Return where the tree of version 2 is."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - cgroup2 " in line:
            return Path(line.split()[4])
    pytest.skip("control groups of version 2 are not mounted")


@pytest.fixture
def base() -> Iterator[Path]:
    """The tree of version 2, for one test at a time: they all divide its root."""
    path = mounted()
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(fd)


@pytest.fixture
def tree(base: Path) -> Iterator[Path]:
    """A group of our own, and we in it; afterwards we are where we were, and it is gone."""
    (home,) = [
        line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line[:3] == "0::"
    ]
    root = base / f"test-{os.getpid()}"
    divided = base / "cgroup.subtree_control"
    before, there = (set(path.read_text().split()) for path in (divided, controllers_of(base)))
    try:
        divided.write_text(" ".join(f"+{name}" for name in there))
        root.mkdir()
        (root / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        pytest.skip(f"no group may be made: {error}")
    yield root
    (base / home.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
    for path, _, _ in os.walk(root, topdown=False):
        os.rmdir(path)
    with suppress(OSError):  # somebody else divides them further by now
        divided.write_text(" ".join(f"-{name}" for name in there - before))


def controllers_of(path: Path) -> Path:
    return path / "cgroup.controllers"


def available(tree: Path) -> tuple[str, ...]:
    """Return the controllers that there are: one that nobody misses is enough here."""
    return tuple(controllers_of(tree).read_text().split())


def subgroups(tree: Path) -> list[str]:
    return [path.name for path in tree.iterdir() if path.is_dir()]


def own_group() -> str:
    return Path("/proc/self/cgroup").read_text().rpartition("0::")[2].strip()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "100"])


def gone(groups: ControlGroups, path: Path) -> bool:
    """Try again to remove a group, as happens with every other that is removed."""
    groups.remove(path)
    return not path.exists()


@pytest.fixture
def groups(tree: Path) -> Iterator[ControlGroups]:
    """All controllers that this machine lets us have; without any, there is nothing to test."""
    if not (there := available(tree)):
        pytest.skip("no controller in the tree of version 2")
    groups = ControlGroups(tree, controllers=there, needed=())
    yield groups
    groups.close()


def test_we_move_into_a_leaf_so_that_our_group_can_be_divided(
    tree: Path, groups: ControlGroups
) -> None:
    assert own_group().endswith(f"/{LEAF}")
    assert (tree / "cgroup.procs").read_text() == ""
    assert (tree / "cgroup.subtree_control").read_text().split() == list(available(tree))


async def test_each_process_has_a_group_that_goes_with_it(
    tree: Path, groups: ControlGroups
) -> None:
    child = sleeper()
    group = groups.create("irc:libera#3", child.pid, GroupLimits())
    assert group.path == tree / f"{PREFIX}{os.getpid()}" / "irc:libera#3"
    assert (group.path / "cgroup.procs").read_text().split() == [str(child.pid)]
    assert group.memory_kills == 0
    child.kill()
    child.wait()
    group.remove()
    await until(lambda: gone(groups, group.path))


async def test_what_a_process_leaves_in_its_group_is_ended(groups: ControlGroups) -> None:
    children = [sleeper(), sleeper()]
    group = groups.create("irc:libera#3", children[0].pid, GroupLimits())
    group.add(children[1].pid)
    group.remove()
    assert [child.wait(20) for child in children] == [-signal.SIGKILL] * 2
    await until(lambda: gone(groups, group.path))


def test_limits_may_change_while_it_runs(groups: ControlGroups) -> None:
    child = sleeper()
    group = groups.create("irc:libera#3", child.pid, GroupLimits(processes=7))
    groups.limit("irc:libera#3", GroupLimits(processes=9))
    groups.limit("irc:libera#2", GroupLimits(processes=9))  # one that is gone
    if "pids" in groups.controllers:
        assert (group.path / "pids.max").read_text() == "9\n"
    child.kill()
    child.wait()
    group.remove()
    groups.limit("irc:libera#3", GroupLimits(processes=11))
    assert "irc:libera#3" not in groups._by_name


def test_a_process_that_is_gone_leaves_no_group(tree: Path, groups: ControlGroups) -> None:
    child = sleeper()
    child.kill()
    child.wait()
    with pytest.raises(OSError, match="No such process"):
        groups.create("irc:libera#3", child.pid, GroupLimits())
    assert not list((tree / f"{PREFIX}{os.getpid()}").glob("irc*"))


def test_the_groups_of_an_earlier_run_are_removed(tree: Path) -> None:
    if not (there := available(tree)):
        pytest.skip("no controller in the tree of version 2")
    ended = subprocess.Popen(["true"])
    ended.wait()
    old, alive = tree / f"{PREFIX}{ended.pid}", tree / f"{PREFIX}1"
    for path in (old, old / "irc:libera#1", alive):
        path.mkdir()
    groups = ControlGroups(tree, controllers=there, needed=())
    assert (old.exists(), alive.exists()) == (False, True)
    groups.close()


async def test_a_group_that_others_are_in_too_is_left_as_it_was(tree: Path) -> None:
    if not (there := available(tree)):
        pytest.skip("no controller in the tree of version 2")
    command = ["sh", "-c", "sleep 100 >/dev/null & echo $!"]  # no child of ours
    other = int(await asyncio.to_thread(subprocess.check_output, command))
    try:
        with pytest.raises(Unusable, match="busy"):
            ControlGroups(tree, controllers=there, needed=())
        assert own_group() == f"/{tree.name}"
        assert subgroups(tree) == []
    finally:
        os.kill(other, signal.SIGKILL)
        await until(lambda: (tree / "cgroup.procs").read_text().split() == [str(os.getpid())])


def test_without_a_controller_for_memory_there_is_no_use_in_groups(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("hugetlb pids\n")
    with pytest.raises(Unusable, match="no controller for memory"):
        ControlGroups(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_limits_are_written_as_the_kernel_reads_them() -> None:
    assert dict(GroupLimits(192 * MIB, 256 * MIB, 64, 5).files()) == {
        "memory.high": "201326592",
        "memory.max": "268435456",
        "memory.oom.group": "1",
        "pids.max": "64",
        "cpu.weight": "33",
    }
    none = dict(GroupLimits(niceness=19).files())
    assert (none["memory.high"], none["memory.max"], none["pids.max"]) == ("max",) * 3
    assert none["cpu.weight"] == "1"


MOUNT = "30 23 0:26 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"


def proc(tmp_path: Path, own: str, root: str = "/") -> Path:
    """Return a /proc/self of a process in that group."""
    (tmp_path / "cgroup").write_text(f"4:memory:/elsewhere\n0::{own}\n")
    (tmp_path / "mountinfo").write_text(
        "23 28 0:21 / /proc rw - proc proc rw\n" + MOUNT.format(root=root, point=tmp_path / "fs")
    )
    place = tmp_path / "fs" / os.path.relpath(own, root)
    place.mkdir(parents=True)
    (place / "cgroup.subtree_control").touch()
    return place


def test_the_root_of_what_is_shown_is_ours(tmp_path: Path) -> None:
    place = proc(tmp_path, "/")
    assert delegated(tmp_path) == place


def test_a_group_that_was_not_delegated_is_not_used(tmp_path: Path) -> None:
    proc(tmp_path, "/user.slice/session-1.scope")
    with pytest.raises(Unusable, match=r"session-1\.scope: not delegated to us"):
        delegated(tmp_path)


def test_a_group_that_systemd_has_marked_is_ours(tmp_path: Path) -> None:
    place = proc(tmp_path, "/system.slice/trunkline.service")
    try:
        os.setxattr(place, "user.delegate", b"1")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    assert delegated(tmp_path) == place


def test_without_the_tree_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no control groups of version 2"):
        delegated(tmp_path)
    (tmp_path / "cgroup").write_text("0::/\n")
    with pytest.raises(Unusable, match="not mounted"):
        delegated(tmp_path)


async def test_a_worker_beyond_its_memory_is_ended_by_the_kernel_and_that_is_known(
    tree: Path,
) -> None:
    try:
        groups = ControlGroups(tree)
    except Unusable as error:
        pytest.skip(f"the kernel cannot hold memory here: {error}")
    assert set(groups.controllers) == set(CONTROLLERS)
    set_subreaper()
    launcher = Launcher(run_id="run-of-the-test")
    launcher.use_groups(groups, "control groups")
    launcher.start()
    try:
        target = "tests.support.targets:eat_memory"
        spec = Spec("irc:libera#1", target, b"", limits=GroupLimits(memory_hard_bytes=64 * MIB))
        process = await launcher.spawn(spec)
        assert process.group is not None
        path = process.group.path
        assert (path / "memory.max").read_text().strip() == str(64 * MIB)
        end = await process.wait()
        os.close(process.stdout)
        os.close(process.stderr)
        assert (end.signal, end.cause) == (signal.SIGKILL, OUT_OF_MEMORY)
        assert not path.exists()
    finally:
        launcher.close()
