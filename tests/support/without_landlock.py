"""Runs a program as on a kernel without Landlock: its system calls fail with ENOSYS.

    python tests/support/without_landlock.py PROGRAM [ARGUMENT …]

A filter of seccomp(2), which needs no privilege and binds all that the program starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

CREATE_RULESET = 444


def forbid() -> None:
    """Make the kernel refuse calls of Landlock to this process from now on."""
    program = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (0x20, 0, 0, 0),  # load the number of the system call
            (0x15, 0, 1, CREATE_RULESET),
            (0x06, 0, 0, 0x0005_0000 | errno.ENOSYS),
            (0x06, 0, 0, 0x7FFF_0000),  # allow
        )
    )
    buffer = ctypes.create_string_buffer(program)
    rules = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, rules, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    forbid()
    os.execvp(sys.argv[1], sys.argv[1:])
