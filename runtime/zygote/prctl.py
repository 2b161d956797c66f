"""Calls prctl(2): process names, subreapers, parent-death signals, and protection from inspection.

Imported by a new zygote before anything else, so it imports almost nothing.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
NAME_BYTES = 15  # TASK_COMM_LEN less the terminator

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, argument: Any) -> None:
    """Call prctl(2) with one argument; raises ``OSError``."""
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def set_name(name: bytes) -> None:
    """Set the name of this process for ps(1) and top(1), cut to the kernel's limit."""
    prctl(PR_SET_NAME, name[:NAME_BYTES])


def set_subreaper() -> None:
    """Adopt every orphan below this process (PR_SET_CHILD_SUBREAPER); kept over execve(2)."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def forbid_inspection() -> None:
    """Forbid other processes of this user to read, trace or dump this one.

    Without this, code of one account could read the secrets of all others out of their memory,
    their environment or the descriptors they hold (PR_SET_DUMPABLE, ptrace(2)). Forks inherit it;
    execve(2) takes it back. Processes of root, or with CAP_SYS_PTRACE, are not kept from anything.
    """
    prctl(PR_SET_DUMPABLE, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when ``parent`` ends; exit at once if it has ended.

    The signal comes when the *thread* that made this process ends. It is kept over execve(2).
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def survive_parent() -> None:
    """Undo ``die_with``: the end of the parent no longer kills this process."""
    prctl(PR_SET_PDEATHSIG, 0)
