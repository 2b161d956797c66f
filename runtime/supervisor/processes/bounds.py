"""Brings changed limits to a process that runs: its niceness and its resource limits.

A process takes them on at its birth (``workers.process.resources``); a change of the
configuration must not cost it a restart. What the kernel does not permit us counts from the
next start.
"""

from __future__ import annotations

import os
import resource
from typing import Protocol

from runtime.config.model import AccountLimitsConfig

HIGHEST = 19  # the niceness that nothing is above, nice(2)


class Bounded(Protocol):
    """A child of ours, which leads a process group."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def reaped(self) -> bool:
        """Whether its pid may be a stranger's by now."""


class Bounds:
    """Of one process, which was started with ``limits``."""

    def __init__(self, process: Bounded, limits: AccountLimitsConfig) -> None:
        self._process = process
        self._niceness = limits.niceness
        self._sizes = _sizes(limits)
        self.unmet: list[str] = []  # fields of the last change that were not permitted

    def change(self, limits: AccountLimitsConfig) -> None:
        """Apply what differs from what the process has; what is not permitted is in ``unmet``.

        Its pid is its own as long as we have not reaped it.
        """
        self.unmet = []
        if self._process.reaped:
            return
        if limits.niceness != self._niceness:
            if _renice(self._process.pid, limits.niceness):
                self._niceness = limits.niceness
            else:
                self.unmet.append("niceness")
        for name, (which, wanted) in _sizes(limits).items():
            if self._sizes[name] != (which, wanted):
                if _resize(self._process.pid, which, wanted):
                    self._sizes[name] = which, wanted
                else:
                    self.unmet.append(name)


def _sizes(limits: AccountLimitsConfig) -> dict[str, tuple[int, int | None]]:
    return {
        "openFiles": (resource.RLIMIT_NOFILE, limits.open_files),
        "processes": (resource.RLIMIT_NPROC, limits.processes),
    }


def _renice(pid: int, niceness: int) -> bool:
    """Set the niceness of all threads of a process group, on top of our own; say whether it is so.

    Only of the group, for on Linux the niceness of a process is that of its first thread.
    """
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PGRP, pid, min(ours + niceness, HIGHEST))
    except OSError:
        return False
    return True


def _resize(pid: int, which: int, wanted: int | None) -> bool:
    """Set a limit as a worker does at its birth, ``None`` as inherited; return if it is set."""
    soft, hard = resource.getrlimit(which)
    if wanted is not None:
        soft = hard = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.prlimit(pid, which, (soft, hard))
    except (OSError, ValueError):
        return False
    return True
