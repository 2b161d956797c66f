"""Manages control groups of version 2 (cgroups(7)), with which the kernel enforces limits.

They are used only if a part of the tree is delegated to us: systemd marks it (``Delegate=yes``), or
we are at the root of the tree that this machine or container shows. Otherwise the tree belongs to
another manager, and each worker is asked for its memory instead.

A group may not both contain processes and enable controllers for children, so we move into a leaf
first. Every incarnation gets its own group, below one that names our pid, so its count of kills is
its own, and leftovers of an earlier run can be recognized and removed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from runtime.supervisor.processes.vitals import parent_of

CONTROLLERS = ("memory", "pids", "cpu")
NEEDED = ("memory",)
PREFIX = "trunkline-"  # begins the names of all groups that we make
LEAF = f"{PREFIX}supervisor"
DELEGATED = ("user.delegate", "trusted.delegate")  # xattrs of systemd, systemd.resource-control(5)
WEIGHT = 100  # the default cpu.weight, of 1 to 10,000
STEP = 1.25  # how much less a step of niceness(2) gets: what the kernel gives to processes


class Unusable(Exception):
    """No part of the cgroup tree is usable; the text is the reason."""


class GroupLimits(msgspec.Struct, frozen=True):
    """The limits of a control group; ``None``: no limit. ``niceness`` is as for nice(2)."""

    memory_soft_bytes: int | None = None
    memory_hard_bytes: int | None = None
    processes: int | None = None
    niceness: int = 0

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the group's files with the contents to write."""
        yield "memory.high", _or_max(self.memory_soft_bytes)
        yield "memory.max", _or_max(self.memory_hard_bytes)
        yield "memory.oom.group", "1"  # a worker without some of its processes is useless
        yield "pids.max", _or_max(self.processes)
        yield "cpu.weight", str(max(1, round(WEIGHT / STEP**self.niceness)))


class ControlGroup:
    """The control group of one incarnation. Its files are virtual, so nothing here blocks."""

    def __init__(self, groups: ControlGroups, path: Path, limits: GroupLimits) -> None:
        self.path = path
        self._groups = groups
        self._written: dict[str, str] = {}
        path.mkdir()
        self.limit(limits)

    def limit(self, limits: GroupLimits) -> None:
        """Apply limits, as far as their controllers are available."""
        for name, value in limits.files():
            if self._written.get(name) == value:
                continue
            with suppress(OSError):  # no such controller, or an older kernel
                _write(self.path / name, value)
                self._written[name] = value

    def add(self, pid: int) -> None:
        """Move one of our processes into the group; raises ``OSError``."""
        _write(self.path / "cgroup.procs", str(pid))

    @property
    def memory_kills(self) -> int:
        """The number of its processes that the kernel killed because memory ran out."""
        return _counters(self.path / "memory.events").get("oom_kill", 0)

    def remove(self) -> None:
        """Kill its remaining processes and remove the group, at once or once they have ended."""
        with suppress(OSError):  # Linux 5.14
            _write(self.path / "cgroup.kill", "1")
        self._groups.remove(self.path)


class ControlGroups:
    """The control groups of one supervisor, below ``root``, the group it was started in."""

    def __init__(
        self,
        root: Path,
        *,
        controllers: Collection[str] = CONTROLLERS,
        needed: Collection[str] = NEEDED,
    ) -> None:
        """Prepare ``root`` for groups of its own; raises ``Unusable`` with everything unchanged."""
        self.root = root
        self._place = root / f"{PREFIX}{os.getpid()}"
        self._by_name: dict[str, ControlGroup] = {}
        self._to_remove: set[Path] = set()
        there = frozenset(_read(root / "cgroup.controllers").split())
        self.controllers = tuple(each for each in controllers if each in there)
        if missing := set(needed) - there:
            raise Unusable(f"{root}: no controller for {', '.join(missing)}")
        try:
            self._set_up()
        except OSError as error:
            self._restore()
            raise Unusable(f"{root}: {error.strerror}") from None

    def create(self, name: str, pid: int, limits: GroupLimits) -> ControlGroup:
        """Create a group and move one of our processes into it; raises ``OSError``."""
        group = ControlGroup(self, self._place / name, limits)
        try:
            group.add(pid)
        except OSError:
            group.remove()
            raise
        self._by_name[name] = group
        return group

    def limit(self, name: str, limits: GroupLimits) -> None:
        """Change the limits of a group; does nothing if there is no such group."""
        if name in self._by_name:
            self._by_name[name].limit(limits)

    def remove(self, path: Path) -> None:
        """Remove a group once its processes have ended; also retry earlier ones."""
        self._by_name.pop(path.name, None)
        self._to_remove.add(path)
        for each in list(self._to_remove):
            if _removed(each):
                self._to_remove.discard(each)

    def close(self) -> None:
        """Remove all removable groups. We stay in our leaf: only an empty group could take us."""
        for child in _children(self._place):
            _removed(child)
        _removed(self._place)

    def _set_up(self) -> None:
        for left in _children(self.root):
            if left.name.startswith(PREFIX) and left != self.root / LEAF:
                self._sweep(left)
        if (self.root / "cgroup.type").exists():  # every group but the machine's root has one
            leaf = self.root / LEAF
            leaf.mkdir(exist_ok=True)
            for pid in _read(self.root / "cgroup.procs").split():
                if int(pid) == os.getpid() or parent_of(int(pid)) == os.getpid():
                    _write(leaf / "cgroup.procs", pid)
        wanted = " ".join(f"+{name}" for name in self.controllers)
        _write(self.root / "cgroup.subtree_control", wanted)
        self._place.mkdir(exist_ok=True)
        _write(self._place / "cgroup.subtree_control", wanted)

    def _restore(self) -> None:
        """Undo all changes, so that other processes in our group are not restricted."""
        _removed(self._place)
        leaf = self.root / LEAF
        with suppress(OSError):
            for pid in _read(leaf / "cgroup.procs").split():
                _write(self.root / "cgroup.procs", pid)
        _removed(leaf)

    def _sweep(self, left: Path) -> None:
        """Remove groups of earlier supervisors that no longer run."""
        pid = left.name.removeprefix(PREFIX)
        if pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists():
            return
        for child in _children(left):
            _removed(child)
        _removed(left)


def delegated(proc: Path = Path("/proc/self")) -> Path:
    """Return the control group of this process if it is delegated to us; raises ``Unusable``."""
    path = _own_path(proc)
    mount, root = _mount(proc)
    place = mount / os.path.relpath(path, root)
    if not path.is_relative_to(root):
        raise Unusable(f"{path}: outside of what is mounted at {mount}")
    if path != Path("/") and not any(_marked(place, name) for name in DELEGATED):
        raise Unusable(f"{place}: not delegated to us (Delegate=yes of systemd)")
    if not os.access(place / "cgroup.subtree_control", os.W_OK):
        raise Unusable(f"{place}: must not be written")
    return place


def _own_path(proc: Path) -> Path:
    for line in _read(proc / "cgroup").splitlines():
        if line.startswith("0::"):
            return Path(line[3:])
    raise Unusable("no control groups of version 2")


def _mount(proc: Path) -> tuple[Path, Path]:
    """Return the mount point of the tree, and which part is mounted (proc_pid_mountinfo(5))."""
    for line in _read(proc / "mountinfo").splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.split(" ")[:1] == ["cgroup2"]:
            return Path(fields.split(" ")[4]), Path(fields.split(" ")[3])
    raise Unusable("control groups of version 2 are not mounted")


def _marked(place: Path, name: str) -> bool:
    try:
        return os.getxattr(place, name) == b"1"
    except OSError:
        return False


def _children(path: Path) -> list[Path]:
    try:
        return [each for each in path.iterdir() if each.is_dir()]
    except OSError:
        return []


def _removed(path: Path) -> bool:
    """Remove a group; return whether it is gone."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _counters(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    # Not `write_text`: a group's files must be written in one call, and are never made.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _or_max(value: int | None) -> str:
    return "max" if value is None else str(value)
