"""Applies the resource limits of a worker's process, and measures what it uses.

The limits are applied once, before the plugin is loaded. The measurements are cheap enough for
every beat (about 30 µs, ``pss_bytes`` excepted) and never fail: a plugin that has used up all
descriptors must end with its own error, not with one of the beat's.
"""

from __future__ import annotations

import os
import resource
import time

from ipc import procfs
from ipc.frames.bootstrap import WorkerBoot

_PAGE = os.sysconf("SC_PAGE_SIZE")


def apply_limits(boot: WorkerBoot) -> None:
    """Set the niceness and the resource limits of this process, nice(2) and setrlimit(2).

    A limit above this process's hard limit is lowered to it. Both the soft and the hard limit
    are set, so that a plugin cannot raise them again.
    """
    if boot.niceness:
        os.nice(boot.niceness)
    for which, wanted in (
        (resource.RLIMIT_NOFILE, boot.open_files),
        (resource.RLIMIT_NPROC, boot.processes),
    ):
        if wanted is None:
            continue
        _, hard = resource.getrlimit(which)
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (allowed, allowed))


def rss_bytes() -> int:
    """Return the resident memory of this process and of the programs that it has started.

    It is the peak value of this process alone if no file can be opened.
    """
    known = procfs.tree_rss_bytes()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 if known is None else known


def pss_bytes() -> int:
    """Return the proportional share of memory of this process and of the programs below it.

    0 if it cannot be read.
    """
    return procfs.tree_pss_bytes() or 0


def cpu_seconds() -> float:
    """Return the CPU time of this process in seconds, all threads together."""
    return time.process_time()


def open_files() -> int:
    """Return how many file descriptors this process holds; its limit when all are in use."""
    try:
        return len(os.listdir("/proc/self/fd")) - 1  # the listing itself holds one
    except OSError:  # EMFILE: as many as there may be
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
