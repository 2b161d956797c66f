"""Removes variables from the environment of a process that forks others.

Imported by a new zygote before it is ready, so it imports almost nothing.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from ipc.procfs import stat_fields


def forget(names: Sequence[str]) -> None:
    """Remove variables from the environment of this process, and so of its later forks.

    The kernel shows the environment of the start in ``/proc/self/environ``, so the values are
    also overwritten there.
    """
    for name in names:
        os.environ.pop(name, None)
    start, end = _environment_block()
    at = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        key, equals, value = entry.partition(b"=")
        if equals and os.fsdecode(key) in names:
            ctypes.memset(at + len(key) + 1, 0, len(value))
        at += len(entry) + 1


def _environment_block() -> tuple[int, int]:
    """Return the memory range of this process's initial environment (proc_pid_stat(5))."""
    fields = stat_fields()
    return int(fields[47]), int(fields[48])  # env_start, env_end
