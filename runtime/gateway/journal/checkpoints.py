"""Checkpoints SQLite's write-ahead log into the journal's file, on a separate thread.

Within a commit that takes 30 to 40 ms for each 4 MiB of a flood, for which every account waits.
Beside commits it never ends with an empty log, so the log would not begin anew and grow for as
long as a flood lasts: from ``LIMIT_PAGES`` on the writer moves the rest itself, right after the
thread has moved most. From ``CEILING_PAGES`` on it waits: for the thread, and for a moment for
those that read an older state.

Up to SQLite 3.51.2 a pass that begins when all was moved, while a commit begins the log anew, may
damage the file (https://sqlite.org/wal.html#walresetbug). So there is never more than one pass,
and it begins only when a commit has begun and ended after the last one: what that has added keeps
the log from beginning anew until the pass is over.

The log keeps what was redacted until it is overwritten. So it is cut to nothing when there is time,
at most once in ``EMPTY_SECONDS``: the next commit has to extend it again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from enum import Enum
from pathlib import Path

STEP_PAGES = 128  # committed since the last pass began: worth another one
LIMIT_PAGES = 4000  # 16 MiB
CEILING_PAGES = 16000  # 64 MiB
PATIENCE_MS = 100  # for readers, beyond the ceiling
EMPTY_SECONDS = 60.0  # between two times that the log is emptied of what was redacted
BUSY_MS = 5000  # for anything else, as ``database.connect`` has it


class Step(Enum):
    """The writer's action about the log between two commits."""

    NOTHING = "nothing"
    BEGIN = "begin a pass on the thread"
    FINISH = "move the rest on the writer's thread"
    WAIT = "wait for the pass and for readers, and move the rest"


def next_step(pages: int, since: int, *, under_way: bool, passed: bool, fresh: bool) -> Step:
    """Return the action for a log of ``pages`` pages.

    ``since`` of them came after the last pass had begun. A pass is ``under_way``, or has
    ``passed`` and nothing was done after it; ``fresh``: a commit has begun and ended meanwhile.
    """
    if pages > CEILING_PAGES and (under_way or passed):
        return Step.WAIT
    if under_way:
        return Step.NOTHING
    if pages > LIMIT_PAGES and passed:
        return Step.FINISH
    return Step.BEGIN if fresh and since >= STEP_PAGES else Step.NOTHING


class Checkpoints:
    """Moves the log of the journal at ``path``; ``writer`` is the connection that commits.

    Everything is called on the writer's thread, between its transactions, and raises
    ``sqlite3.Error`` where moving has failed, also what the last pass on the other thread raised.
    Numbers of pages are estimates; each pass finds out how long the log is.
    """

    def __init__(self, path: Path, writer: sqlite3.Connection) -> None:
        self._path = path
        self._writer = writer
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()  # guards the next five
        self._under_way = False
        self._stopping = False
        self._found = self._moved = 0  # pages in the log, by the last pass, and those moved
        self._error: Exception | None = None
        self._since = STEP_PAGES  # what an earlier process has left
        self._passed = self._fresh = False
        self._quiet = True  # no pass was under way when the writer looked last
        self._waits_from = CEILING_PAGES
        self._redacted = False  # the log may still hold what was redacted
        self._emptied = -EMPTY_SECONDS

    def on_commit(self, pages: int) -> None:
        """Begin or finish a due checkpoint after a transaction that wrote about ``pages`` pages."""
        if self._quiet and not self._since and self._found == self._moved:
            self._found = self._moved = 0  # the log has begun anew, unless a reader needs it
            self._waits_from = CEILING_PAGES
        self._since += pages
        self._fresh = self._fresh or self._quiet
        under_way = self._under_way
        total = self._found + self._since
        step = next_step(
            total, self._since, under_way=under_way, passed=self._passed, fresh=self._fresh
        )
        match step:
            case Step.BEGIN:
                self._begin()
            case Step.FINISH:
                self.finish()
            case Step.WAIT:
                self._wait_for_readers(total)
        self._collect_result()

    def on_write(self) -> None:
        """Count writes that may have been made outside of commits."""
        self._since += STEP_PAGES

    def on_redaction(self) -> None:
        """Mark the log as holding data that must be removed."""
        self._redacted = True

    @property
    def empties_in(self) -> float | None:
        """The seconds until ``on_idle`` empties the log if nothing else happens."""
        if not self._redacted:
            return None
        return max(0.0, self._emptied + EMPTY_SECONDS - time.monotonic())

    def on_idle(self) -> bool:
        """Checkpoint everything, on the other thread if possible, while there is nothing to store.

        What was redacted is removed from the log, too. Return whether there is more to do.
        """
        if self._since and not self._under_way:
            if self._fresh:
                self._begin()
            else:
                self.finish()
        self._collect_result()
        if self._quiet and self.empties_in == 0.0:
            self._emptied = time.monotonic()
            self._redacted = not self._empty()
        return not self._quiet

    def finish(self) -> None:
        """Checkpoint everything that no reader needs, on the calling thread."""
        self.wait_idle()
        self._run_checkpoint("PASSIVE")

    def wait_idle(self) -> None:
        """Wait until no checkpoint is running."""
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way)
        self._collect_result()

    def stop(self) -> None:
        """End the other thread, after a running checkpoint."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _collect_result(self) -> None:
        """Handle the results of the other thread."""
        with self._changed:
            self._quiet = not self._under_way
            error, self._error = self._error, None
        if error is not None:
            raise error

    def _begin(self) -> None:
        self._since, self._fresh, self._passed = 0, False, True
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="journal-checkpoints", daemon=True
            )
            self._thread.start()
        with self._changed:
            self._under_way = True
            self._changed.notify_all()

    def _run_checkpoint(self, mode: str) -> None:
        self._since, self._fresh, self._passed = 0, False, False
        self._found, self._moved = _checkpoint(self._writer, mode)

    def _wait_for_readers(self, pages: int) -> None:
        """Wait for readers so that the log restarts, unless one has been reading for long."""
        self.wait_idle()
        if pages < self._waits_from:
            self._run_checkpoint("PASSIVE")
            return
        self._writer.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        try:
            self._run_checkpoint("RESTART")
        finally:
            self._writer.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        self._waits_from = max(CEILING_PAGES, self._found + LIMIT_PAGES)

    def _empty(self) -> bool:
        """Truncate the log unless a reader uses an older state; return whether it was truncated."""
        self._writer.execute("PRAGMA busy_timeout=0")
        try:
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._writer.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        if not busy:
            self._since, self._fresh, self._passed = 0, False, False
            self._found = self._moved = 0
        return not busy

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            connection = None
            while self._wait_for_work():
                done, failure = (self._found, self._moved), None
                try:
                    if connection is None:
                        connection = sqlite3.connect(self._path, isolation_level=None)
                        stack.callback(connection.close)
                        connection.execute("PRAGMA synchronous=FULL")
                    done = _checkpoint(connection, "PASSIVE")
                except Exception as error:  # noqa: BLE001 - it is raised on the writer's thread
                    failure = error
                with self._changed:
                    self._found, self._moved = done
                    self._error, self._under_way = failure, False
                    self._changed.notify_all()

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._under_way or self._stopping)
            return self._under_way


def _checkpoint(connection: sqlite3.Connection, mode: str) -> tuple[int, int]:
    """Run a checkpoint; return the pages in the log, and how many of them were moved."""
    _, pages, moved = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return int(pages), int(moved)
