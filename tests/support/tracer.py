"""A process that traces another one, and never collects its exit (ptrace(2))."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

PTRACE_SEIZE = 0x4206
TRACE = (
    "import ctypes, sys; libc = ctypes.CDLL(None);"
    f"print(libc.ptrace({PTRACE_SEIZE}, int(sys.argv[1]), None, None), flush=True);"
    "sys.stdin.read()"
)


@contextlib.contextmanager
def tracing(pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Trace a process until the block or the tracer's input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", TRACE, str(pid)], stdin=pipe, stdout=pipe) as it:
        assert it.stdout is not None
        if it.stdout.readline() != b"0\n":
            pytest.skip("no process may trace another here")
        yield it
