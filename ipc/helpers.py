"""Remembers the programs whose starter waits for them, so that no other code reaps them.

A supervisor adopts the orphans of its children, and as process 1 of a container everybody's, and
reaps them. A program whose starter reads its exit status must not be among them: waitpid(2)
gives a status once.
"""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_starting = threading.Lock()  # held so that no program runs that is not remembered yet
_started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def remember(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Call ``start``, and keep the program known until it has been waited for."""
    with _starting:
        process = start()
        _started.add(process)
        return process


@contextmanager
def helpers_spared() -> Iterator[frozenset[int]]:
    """Yield the pids of all helpers; no other is started within the block."""
    with _starting:
        yield frozenset(each.pid for each in _started if each.returncode is None)
