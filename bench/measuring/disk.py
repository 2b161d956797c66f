"""Measures the latency of small synchronous writes during other measurements."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from bench.measuring.figures import percentile


class DiskProbe(threading.Thread):
    """A thread that writes and synchronizes a small file at intervals."""

    def __init__(self, place: Path) -> None:
        super().__init__(daemon=True)
        self._path = place / "probe"
        self._ending = threading.Event()
        self._spent: list[float] = []

    def run(self) -> None:
        fd = os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600)
        while True:
            os.pwrite(fd, os.urandom(4096), 4096 * (len(self._spent) % 64))
            begin = time.perf_counter()
            os.fdatasync(fd)
            self._spent.append(time.perf_counter() - begin)
            if self._ending.wait(0.02):
                break
        os.close(fd)

    def end(self) -> float:
        """Stop, and return the median in seconds."""
        self._ending.set()
        self.join()
        return percentile(self._spent, 0.5)
