"""Watches the configuration file and reports a change once writing has stopped.

A file may be written in place, by renaming, or by swapping a link somewhere above it. Its
directories are watched, because a watch on the file itself is lost when an editor renames. A
change is a difference in the file's inode, times or size.

The quiet time after a burst counts only changes of the file itself: another file in its
directory that is written continuously must not delay a reload.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from runtime.supervisor.inotify import DirectoryWatch

CHECK_SECONDS = 3.0  # also without an event: a bind mount of one file has none, a watcher may die
RETRY_SECONDS = 30.0  # until a watch that failed is tried again
BURST_SECONDS = 10.0  # for so long one burst lasts, however often the file is saved

log = structlog.get_logger("configuration")

Signature = tuple[int, int, int, int] | None


class Burst:
    """Computes when a burst of changes is over: after a while of quiet, or at a limit.

    Without the limit, a file that is saved every second would never be reloaded.
    ``quiet`` may be changed at any time. Reads no clock; times are seconds.
    """

    def __init__(self, quiet: float, at_most: float = BURST_SECONDS) -> None:
        self.quiet = quiet
        self._at_most = at_most
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        """Record a change."""
        if self._first is None:
            self._first = now
        self._last = now

    def due(self) -> float | None:
        """Return when the burst is over, ``None`` when there is none."""
        if self._first is None:
            return None
        return min(self._last + self.quiet, self._first + self._at_most)

    def clear(self) -> None:
        """Drop the burst."""
        self._first = None


class ConfigWatch:
    """Calls ``on_change()`` once a burst of changes of ``path`` is over.

    ``quiet()`` returns the seconds without a change that end a burst; ``None``: not watched.
    """

    def __init__(
        self, path: Path, quiet: Callable[[], float | None], on_change: Callable[[], None]
    ) -> None:
        self._path = path
        self._quiet = quiet
        self._on_change = on_change
        self._seen = signature(path)
        self._burst = Burst(0.0)
        self._timer: asyncio.TimerHandle | None = None
        self.failed: str | None = None  # why nothing is noticed at the moment

    async def run(self) -> None:
        """Watch until cancelled. ``failed`` says why inotify fails, so that changes come late."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll())
            await self._keep_watching()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self.check()

    async def _keep_watching(self) -> None:
        try:
            while True:
                try:
                    await self._watch()
                except (OSError, RuntimeError, ValueError) as error:
                    late = f"changes are noticed {CHECK_SECONDS:g} s late"
                    self.failed = f"{self._path}: {late}: {error}"
                    log.warning("configuration not watched", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                self.check()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _watch(self) -> None:
        directories = self._directories()
        moved = asyncio.Event()

        def check() -> None:
            self.check()
            if self._directories() != directories:
                moved.set()  # a link was swapped, say: another watch is needed

        watch = DirectoryWatch(directories, check)
        try:
            self.failed = None
            self.check()
            await moved.wait()
        finally:
            watch.close()

    def _directories(self) -> dict[Path, int | None]:
        """Return the inodes of the directories in which the file may change."""
        found: dict[Path, int | None] = {}
        for directory in (self._path.parent, self._path.resolve().parent):
            try:
                found[directory] = os.stat(directory).st_ino
            except OSError:
                found[directory] = None
        return found

    def check(self) -> None:
        """Check whether the file has changed; a change begins or prolongs a burst."""
        found = signature(self._path)
        if found == self._seen:
            return
        self._seen = found
        quiet = self._quiet()
        if quiet is None:
            return
        loop = asyncio.get_running_loop()
        self._burst.quiet = quiet
        self._burst.touch(loop.time())
        due = self._burst.due()
        assert due is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due, self._on_burst_end)

    def _on_burst_end(self) -> None:
        self._timer = None
        self._burst.clear()
        self._on_change()


def signature(path: Path) -> Signature:
    """Return the file's inode, times and size; ``None`` if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
