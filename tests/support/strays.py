"""Finds processes that a test has left behind, whatever their parent and user.

A daemon that runs detached is no descendant of the test, and one of another user is no child that
may be waited for; but what belongs to a test has its directory in the command line or environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path

SECONDS = 5.0  # in which what has been told to end does


def all_pids() -> set[int]:
    """Return the pids of all processes."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def strays(places: Iterable[Path], before: Collection[int]) -> dict[int, str]:
    """Return the command lines of processes that name something below ``places``, by pid.

    ``before`` are those that were there already. Environments are read as far as the kernel lets
    us: root may read them all.
    """
    named = [os.fsencode(f"{place}/") for place in places]
    found = {}
    for pid in all_pids().difference(before) if named else ():
        texts = b"\0".join(_read(pid, name) for name in ("cmdline", "environ"))
        if any(each in texts for each in named):
            words = _read(pid, "cmdline").replace(b"\0", b" ")
            found[pid] = words.decode(errors="replace")
    return found


def end_strays(
    places: Iterable[Path], before: Collection[int], seconds: float = SECONDS
) -> dict[int, str]:
    """Kill the ``strays`` that do not end within ``seconds``; return their command lines."""
    places, until = list(places), time.monotonic() + seconds
    while (left := strays(places, before)) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended, or hides
        return b""
