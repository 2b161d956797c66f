"""A worker's own figures, cheap enough for every beat (about 30 µs)."""

from __future__ import annotations

import os
import time

_PAGE = os.sysconf("SC_PAGE_SIZE")


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    with open("/proc/self/statm", "rb", buffering=0) as statm:
        return int(statm.read(128).split()[1]) * _PAGE


def cpu() -> float:
    """Return the seconds of CPU this process has used, all threads together."""
    return time.process_time()


def open_files() -> int:
    """Return how many file descriptors this process holds."""
    return len(os.listdir("/proc/self/fd")) - 1  # the listing itself holds one
