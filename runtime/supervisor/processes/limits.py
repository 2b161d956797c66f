"""Applies the resource limits of accounts, by control groups and to running processes.

A worker sets its niceness and resource limits at its start (``workers.process.resources``), but a
change of the configuration must not need a restart. What the kernel does not permit for a running
process applies from its next start. Without control groups, each worker's memory is polled
(``runtime.supervisor.accounts.health``).
"""

from __future__ import annotations

import os
import resource
from typing import Protocol

import structlog

from runtime.config.supervisor_model import AccountLimitsConfig
from runtime.supervisor.processes.cgroups import ControlGroups, GroupLimits, Unusable, delegated
from runtime.supervisor.processes.launcher import Launcher

HIGHEST = 19  # the niceness that nothing is above, nice(2)

log = structlog.get_logger("limits")


def enable_groups(launcher: Launcher) -> None:
    """Enable control groups in the launcher if some are delegated to us, and log it."""
    try:
        groups = ControlGroups(delegated())
    except Unusable as error:
        launcher.use_groups(None, f"polling ({error})")
        log.debug("limits are watched by polling", why=str(error))
    else:
        launcher.use_groups(groups, f"control groups in {groups.root}")
        log.info("limits are held by control groups", root=str(groups.root))


def group_limits(config: AccountLimitsConfig) -> GroupLimits:
    """Return the part of an account's limits that its control group enforces."""
    return GroupLimits(
        memory_soft_bytes=config.memory_soft_bytes,
        memory_hard_bytes=config.memory_hard_bytes,
        processes=config.processes,
        niceness=config.niceness,
    )


class GroupLeader(Protocol):
    """A child of ours, which leads a process group."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def reaped(self) -> bool:
        """Whether it has been reaped, so that its pid may belong to another process."""


class ProcessLimits:
    """The niceness and resource limits of one process, which was started with ``limits``.

    ``unmet`` are the fields of the last change that the kernel did not permit.
    """

    def __init__(self, process: GroupLeader, limits: AccountLimitsConfig) -> None:
        self._process = process
        self._niceness = limits.niceness
        self._sizes = _sizes(limits)
        self.unmet: list[str] = []

    def change(self, limits: AccountLimitsConfig) -> None:
        """Apply changed limits; those that are not permitted are in ``unmet``.

        The pid cannot be reused as long as we have not reaped the process.
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
    """Set the niceness, relative to ours, of all threads of a process group; return success.

    It is set for the group, because for a single process Linux changes only the first thread.
    """
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PGRP, pid, min(ours + niceness, HIGHEST))
    except OSError:
        return False
    return True


def _resize(pid: int, which: int, wanted: int | None) -> bool:
    """Set a limit as a worker does at its start (``None``: as inherited); return success."""
    soft, hard = resource.getrlimit(which)
    if wanted is not None:
        soft = hard = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.prlimit(pid, which, (soft, hard))
    except (OSError, ValueError):
        return False
    return True
