"""Stores the logs of all processes on disk: one rotated file each, within a total size.

A full disk does not affect accounts: the last lines stay in memory until they can be written, which
is a warning meanwhile. What is lost is counted, and the log says so where it is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from ipc.files import open_to_write
from ipc.nesting import load_json
from ipc.permissions import reason
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.logs.capture import LineCapture, LineFilter
from runtime.supervisor.logs.line import Line, encode_line, timestamp
from runtime.supervisor.logs.structured import set_level
from runtime.supervisor.processes.process import SpawnedProcess

RING = 500  # lines kept in memory while the disk fails
RETRY_DISK = 5.0  # seconds
TAIL_BYTES = 512 * 1024  # of a file, read from its end
SHOWN = 3  # logs that a warning names

Subscriber = Callable[[str, Line], None]


class LogFile:
    """One log on disk with rotation: ``name.log``, ``name.log.1``, …

    A file that another program has rotated or removed is reopened by the next write. ``fault`` is
    why nothing can be written; meanwhile ``ring`` has the last lines, and ``lost`` counts others.
    """

    def __init__(
        self, path: Path, max_bytes: int, files: int, on_rotate: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self._on_rotate = on_rotate
        self.ring: deque[Line] = deque(maxlen=RING)
        self.failures = 0
        self.lost = 0
        self.fault: str | None = None
        self._max_bytes = max_bytes
        self._files = files
        self._fd: int | None = None
        self._inode = (0, 0)  # device and number of what is open
        self._size = 0
        self._retry_at = 0.0

    def limit(self, max_bytes: int, files: int) -> None:
        """Set how large one file may be, and how many are kept."""
        self._max_bytes, self._files = max_bytes, files

    def write(self, lines: list[Line], now: float) -> None:
        """Append lines, after those in ``ring`` that could not be written before."""
        if now < self._retry_at:
            self._keep(lines)
            return
        waiting = [*self.ring, *lines]
        self.ring.clear()
        gap: list[Line] = [_gap(self.lost, self.fault)] if self.lost else []
        try:
            data = b"".join(map(encode_line, [*gap, *waiting]))
            self._follow_name()
            full = (
                self._fd is not None and self._size > 0 and self._size + len(data) > self._max_bytes
            )
            if self._fd is None or full:
                self._open(full=full)
            assert self._fd is not None
            written = self._append(self._fd, data)
            if gap and written:
                self.lost = 0
            waiting = waiting[max(0, written - len(gap)) :]
            if waiting:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.fault = None
        except OSError as error:
            self.failures += 1
            self.fault = reason(error)
            self._retry_at = now + RETRY_DISK
            self._keep(waiting)
            self.close()

    def _keep(self, lines: list[Line]) -> None:
        """Keep the last lines in memory; count the others."""
        self.lost += max(0, len(self.ring) + len(lines) - RING)
        self.ring.extend(lines)

    def _append(self, fd: int, data: bytes) -> int:
        """Append lines; return how many. A partially written line is removed again."""
        written = os.write(fd, data)
        whole = data.rfind(b"\n", 0, written) + 1
        if written < len(data):
            os.ftruncate(fd, self._size + whole)
        self._size += whole
        return data.count(b"\n", 0, whole)

    def tail(self, count: int) -> list[Line]:
        """Return the last lines, oldest first."""
        found: deque[Line] = deque(maxlen=count)
        for path in filter(os.path.isfile, (self._numbered(1), self.path)):  # not a named pipe, say
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                for raw in file:
                    with contextlib.suppress(ValueError):
                        found.append(load_json(raw))
        found.extend(self.ring)
        return list(found)

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _follow_name(self) -> None:
        """Close a file that was renamed or removed; note the size of one that was not.

        It costs one stat(2) per write (2 µs), because a write to a removed file would succeed.
        """
        if self._fd is None:
            return
        try:
            found = os.stat(self.path)
        except OSError:
            self.close()
            return
        if (found.st_dev, found.st_ino) != self._inode:
            self.close()
        self._size = found.st_size  # another program may have truncated it

    def _open(self, *, full: bool) -> None:
        self.close()
        if _size(self.path) >= self._max_bytes or full:
            self._rotate()
        with contextlib.suppress(FileExistsError):  # it is no directory: opening the file says so
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = open_to_write(self.path, os.O_APPEND)
        found = os.fstat(self._fd)
        self._inode, self._size = (found.st_dev, found.st_ino), found.st_size

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._numbered(number)
            newer = self._numbered(number - 1) if number > 1 else self.path
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)
        if self._files == 1:
            self.path.unlink(missing_ok=True)
        self._on_rotate()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _gap(lost: int, why: str | None) -> Line:
    """Return the line that stands for lost ones."""
    return {"ts": timestamp(), "text": f"({lost} lines were lost here: {why})", "lost": lost}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class LogStore:
    """All logs of one supervisor, by name: an account's key, ``gateway`` or ``supervisor``."""

    def __init__(self, directory: Path, config: LoggingConfig) -> None:
        self.config = config
        self._directory = directory
        self._files: dict[str, LogFile] = {}
        self._pending: dict[str, list[Line]] = {}
        self._subscribers: list[Subscriber] = []
        self._captures: set[LineCapture] = set()
        self._flush_due = False

    def reconfigure(self, config: LoggingConfig) -> None:
        """Apply other limits from now on, also to open logs."""
        if config == self.config:
            return
        self.config = config
        for file in self._files.values():
            file.limit(config.max_bytes, config.files)
        for capture in self._captures:
            capture.limit(config)
        set_level(config.level)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call ``subscriber(name, line)`` for every line as it comes."""
        self._subscribers.append(subscriber)

    def capture(
        self,
        name: str,
        incarnation: int,
        process: SpawnedProcess,
        *,
        filter_line: LineFilter | None = None,
    ) -> LineCapture:
        """Capture a child's output until it and all processes that share its pipes have ended.

        ``filter_line`` may change a line before it is kept, or return ``None`` to drop it.
        """
        capture = LineCapture(
            name,
            incarnation,
            (process.stdout, process.stderr),
            self.config,
            add=self.add,
            on_end=self._on_capture_ended,
            filter_line=filter_line,
        )
        self._captures.add(capture)
        return capture

    async def capture_or_kill(
        self,
        name: str,
        incarnation: int,
        process: SpawnedProcess,
        *,
        filter_line: LineFilter | None = None,
    ) -> LineCapture:
        """Capture a new child's output; kill the child if that fails.

        The caller would not know of it, and an account must never have two processes.
        """
        try:
            return self.capture(name, incarnation, process, filter_line=filter_line)
        except BaseException:
            process.kill()
            loop = asyncio.get_running_loop()
            for fd in (process.stdout, process.stderr):
                loop.remove_reader(fd)
                os.close(fd)
            await process.wait()
            raise

    def add(self, name: str, line: Line) -> None:
        """Add one line; it is written at the end of this turn of the loop."""
        self._pending.setdefault(name, []).append(line)
        for subscriber in self._subscribers:
            subscriber(name, line)
        if not self._flush_due:
            self._flush_due = True
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # no loop runs any more, or not yet
                self.flush()

    def flush(self) -> None:
        """Write the pending lines."""
        self._flush_due = False
        pending, self._pending = self._pending, {}
        now = time.monotonic()
        for name, lines in pending.items():
            self._file(name).write(lines, now)

    @property
    def warnings(self) -> list[str]:
        """A sentence about the logs that cannot be written."""
        failing = {name: file for name, file in self._files.items() if file.fault}
        if not failing:
            return []
        more = f" and {len(failing) - SHOWN} more" if len(failing) > SHOWN else ""
        faults = dict.fromkeys(file.fault or "" for file in failing.values())
        why = ", ".join(list(faults)[:SHOWN])
        lost = sum(file.lost for file in failing.values())
        return [
            f"{self._directory}: not written: {why}; of {', '.join(list(failing)[:SHOWN])}{more}"
            f" the last {RING} lines are in memory, {lost} are lost"
        ]

    def retry(self) -> None:
        """Write the lines of logs that could not be written, where that is due again."""
        now = time.monotonic()
        for file in self._files.values():
            if file.fault is not None:
                file.write([], now)

    def forget(self, name: str) -> None:
        """Drop the log of a removed account from memory. Its files stay readable."""
        self.flush()
        file = self._files.pop(name, None)
        if file is not None:
            file.close()

    def reopen(self) -> None:
        """Close every file, so that the next write opens it by its name again (log rotation)."""
        self.flush()
        for file in self._files.values():
            file.close()

    def tail(self, names: Iterable[str] | None, count: int) -> list[Line]:
        """Return the last ``count`` lines of some logs, or of all, in the order of their time."""
        self.flush()
        if names is None:
            names = {path.name.removesuffix(".log") for path in self._directory.glob("*.log")}
            names |= set(self._files)
        lines = [line for name in names for line in self._file(name).tail(count)]
        lines.sort(key=lambda line: str(line.get("ts", "")))
        return lines[-count:] if count else []

    def _on_capture_ended(self, capture: LineCapture) -> None:
        """Remove a capture that has ended, and close its log until the next write."""
        self._captures.discard(capture)
        name = capture.name
        if name in self._files and not any(each.name == name for each in self._captures):
            self.flush()
            self._files[name].close()

    def close(self) -> None:
        """End all captures, write pending lines, close the files."""
        for capture in list(self._captures):
            capture.close()
        self.flush()
        for file in self._files.values():
            file.close()

    def _file(self, name: str) -> LogFile:
        if name not in self._files:
            path = self._directory / f"{name}.log"
            config = self.config
            self._files[name] = LogFile(path, config.max_bytes, config.files, self._trim)
        return self._files[name]

    def _trim(self) -> None:
        """Remove the oldest rotated files until all logs together are within their total."""
        sizes: dict[Path, tuple[float, int]] = {}
        for path in self._directory.glob("*.log*"):
            with contextlib.suppress(OSError):
                found = path.stat()
                sizes[path] = (found.st_mtime, found.st_size)
        total = sum(size for _, size in sizes.values())
        for path in sorted(sizes, key=lambda each: sizes[each]):
            if total <= self.config.total_bytes:
                return
            if path.suffix != ".log":  # what is being written stays
                path.unlink(missing_ok=True)
                total -= sizes[path][1]
