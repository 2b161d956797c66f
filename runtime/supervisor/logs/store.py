"""What children print, and what the supervisor notes: read line by line, bounded, on disk.

A worker that prints without end is read and dropped, and counted; it never blocks, and it
costs its siblings nothing. A full disk costs the log, not the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ipc.frames.data import MALFORMED
from runtime.config.model import LoggingConfig
from runtime.supervisor.logs.folding import Folding
from runtime.supervisor.processes.process import SpawnedProcess

READ_BYTES = 256 * 1024
# Lines that are looked at for each that may be kept: the rest is the same again, or too much.
LOOKS_PER_LINE = 20
# What is dropped is read no faster than this, of each child: a bomb without any limit of its own
# then waits for milliseconds, instead of taking a whole core of ours.
DROP_BYTES_PER_SECOND = 150e6
PAUSE = 0.005  # seconds
LINE_BYTES = 16 * 1024  # a longer line is cut
RING = 500  # lines kept in memory while the disk fails
RETRY_DISK = 5.0
SECRET_WORDS = ("token", "password", "secret", "authorization")
TAIL_BYTES = 512 * 1024  # of a file, read from its end

Line = dict[str, Any]
Subscriber = Callable[[str, Line], None]
Screening = Callable[[Line], Line | None]

_LINE_END = ord("\n")
_scrap = bytearray(READ_BYTES)  # where what is dropped goes


class Allowance:
    """A token bucket: ``rate`` per second, at most ``burst`` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def take(self, now: float, amount: float) -> bool:
        """Take ``amount`` when there is that much."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def most(self, now: float, amount: int) -> int:
        """Take as much of ``amount`` as there is, in whole numbers; return how much that was."""
        self.take(now, 0)
        taken = min(amount, int(self._left))
        self._left -= taken
        return taken


class LogFile:
    """One log on disk with rotation: ``name.log``, ``name.log.1``, …"""

    def __init__(
        self, path: Path, max_bytes: int, files: int, on_rotate: Callable[[], None] = lambda: None
    ) -> None:
        self.path = path
        self._on_rotate = on_rotate
        self.ring: deque[Line] = deque(maxlen=RING)
        self.failures = 0
        self._max_bytes = max_bytes
        self._files = files
        self._fd: int | None = None
        self._size = 0
        self._retry_at = 0.0

    def limit(self, max_bytes: int, files: int) -> None:
        """Set how large one file may be, and how many are kept."""
        self._max_bytes, self._files = max_bytes, files

    def write(self, lines: list[Line], now: float) -> None:
        """Append lines; what cannot be written stays in ``ring``."""
        if now < self._retry_at:
            self.ring.extend(lines)
            return
        try:
            data = b"".join(_encode(each) for each in lines)
            full = self._size > 0 and self._size + len(data) > self._max_bytes
            if self._fd is None or full:
                self._open(full=full)
            assert self._fd is not None
            self._size += os.write(self._fd, data)
        except OSError:
            self.failures += 1
            self._retry_at = now + RETRY_DISK
            self.ring.extend(lines)
            self.close()

    def tail(self, count: int) -> list[Line]:
        """Return the last lines, oldest first."""
        found: deque[Line] = deque(maxlen=count)
        for path in (self._numbered(1), self.path):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL_BYTES))
                for raw in file:
                    with contextlib.suppress(ValueError):
                        found.append(json.loads(raw))
        found.extend(self.ring)
        return list(found)

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self, *, full: bool) -> None:
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        if _size(self.path) >= self._max_bytes or full:
            self._rotate()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

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


def _encode(line: Line) -> bytes:
    """Return a line for the file. No line may spoil those beside it: what has no JSON is shown."""
    try:
        text = json.dumps(line, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):  # circular, odd keys, too deep
        text = json.dumps({"ts": timestamp(), "text": "a record that cannot be written as JSON"})
    return text.encode("utf-8", "replace") + b"\n"  # half a surrogate becomes a question mark


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
        """Have other limits from now on, also for what is open."""
        if config == self.config:
            return
        self.config = config
        for file in self._files.values():
            file.limit(config.max_bytes, config.files)
        for capture in self._captures:
            capture.limit(config)
        set_level(config.level)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have every line handed on as it comes."""
        self._subscribers.append(subscriber)

    def capture(
        self,
        name: str,
        incarnation: int,
        process: SpawnedProcess,
        *,
        screen: Screening | None = None,
    ) -> LineCapture:
        """Read what a child prints until it and all who share its pipes are gone.

        ``screen`` may change a line before it is kept, or keep it from being kept.
        """
        fds = (process.stdout, process.stderr)
        capture = LineCapture(self, name, incarnation, fds, screen)
        self._captures.add(capture)
        return capture

    def add(self, name: str, line: Line) -> None:
        """Take one line; it is on disk after this turn of the loop."""
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
        """Write what is pending."""
        self._flush_due = False
        pending, self._pending = self._pending, {}
        now = time.monotonic()
        for name, lines in pending.items():
            self._file(name).write(lines, now)

    def tail(self, names: Iterable[str] | None, count: int) -> list[Line]:
        """Return the last ``count`` lines of some logs, or of all, in the order of their time."""
        self.flush()
        if names is None:
            names = {path.name.removesuffix(".log") for path in self._directory.glob("*.log")}
            names |= set(self._files)
        lines = [line for name in names for line in self._file(name).tail(count)]
        lines.sort(key=lambda line: str(line.get("ts", "")))
        return lines[-count:] if count else []

    def forget(self, capture: LineCapture) -> None:
        """A capture has ended. Its log is opened again by whoever writes next, if anybody does."""
        self._captures.discard(capture)
        name = capture.name
        if name in self._files and not any(each.name == name for each in self._captures):
            self.flush()
            self._files[name].close()

    def close(self) -> None:
        """End all captures, write what is pending, close the files."""
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


class LineCapture:
    """Both streams of one child, cut into lines within the rate limit.

    ``dropped`` counts the lines that are not kept whole, ``dropped_bytes`` what is missing.
    """

    def __init__(
        self,
        store: LogStore,
        name: str,
        incarnation: int,
        fds: tuple[int, int],
        screen: Screening | None = None,
    ) -> None:
        config = store.config
        self._screen = screen
        self.dropped = 0
        self.dropped_bytes = 0
        self._store = store
        self.name = name
        self._incarnation = incarnation
        self.limit(config)
        self._drops = Allowance(DROP_BYTES_PER_SECOND, DROP_BYTES_PER_SECOND * PAUSE)
        self._parts: dict[int, bytearray] = {}
        self._folds = {fd: Folding() for fd in fds}
        self._streams = dict(zip(fds, ("stdout", "stderr"), strict=True))
        self._skipping: set[int] = set()  # streams inside a line that was cut or dropped
        for fd in fds:
            self._parts[fd] = bytearray()
            asyncio.get_running_loop().add_reader(fd, self._on_readable, fd)

    def limit(self, config: LoggingConfig) -> None:
        """Set how much is kept."""
        self._lines = Allowance(config.lines_per_second, config.burst_lines)
        self._bytes = Allowance(config.bytes_per_second, 2 * config.bytes_per_second)
        looks = LOOKS_PER_LINE
        self._looks = Allowance(looks * config.lines_per_second, looks * config.burst_lines)

    def close(self) -> None:
        """Read what is there, then close both pipes."""
        for fd in list(self._streams):
            self._on_readable(fd)
            self._close(fd)

    def drain(self) -> None:
        """Read what is there now: the last words before an exit is judged."""
        for fd in list(self._streams):
            self._on_readable(fd)

    def _on_readable(self, fd: int) -> None:
        """Read once: the loop comes back while there is more, after it has served others."""
        if fd not in self._streams:
            return
        try:
            count = os.readv(fd, [_scrap])
        except BlockingIOError:
            return
        except OSError:
            count = 0
        loop = asyncio.get_running_loop()
        if count == 0:
            self._close(fd)
        elif self._bytes.take(loop.time(), count):
            self._split(fd, bytes(memoryview(_scrap)[:count]))
        else:
            # A log bomb: only counted. The allowance fills again while it is dropped.
            self._drop(fd, _scrap.count(b"\n", 0, count), count, _scrap[count - 1] != _LINE_END)
            if not self._drops.take(loop.time(), count):
                self._pause(fd)

    def _drop(self, fd: int, line_ends: int, size: int, inside: bool) -> None:
        """Count what is dropped; ``inside``: it ends inside a line, whose rest is skipped."""
        self.dropped += line_ends + inside - (fd in self._skipping)  # that one was counted
        self.dropped_bytes += size
        self._parts[fd].clear()
        (self._skipping.add if inside else self._skipping.discard)(fd)

    def _pause(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(fd)
        loop.call_later(PAUSE, self._resume, fd)

    def _resume(self, fd: int) -> None:
        if fd in self._streams:
            asyncio.get_running_loop().add_reader(fd, self._on_readable, fd)

    def _split(self, fd: int, data: bytes) -> None:
        part = self._parts[fd]
        lines = data.count(b"\n")
        looks = self._looks.most(asyncio.get_running_loop().time(), lines)
        *whole, rest = data.split(b"\n", looks)
        for piece in whole:
            if fd in self._skipping:
                self._skipping.discard(fd)
                self.dropped_bytes += len(piece)
            else:
                self._take(fd, bytes(part) + piece)
            part.clear()
        if looks < lines:
            self._drop(fd, lines - looks, len(rest), not rest.endswith(b"\n"))
        elif fd in self._skipping:
            self.dropped_bytes += len(rest)
        else:
            part += rest
            if len(part) > LINE_BYTES:
                self._take(fd, bytes(part))
                part.clear()
                self._skipping.add(fd)

    def _take(self, fd: int, raw: bytes) -> None:
        now = asyncio.get_running_loop().time()
        repeats, news = self._folds[fd].take(raw, now)
        if repeats:
            self._tell_repeats(fd, repeats)
        if not news:
            return
        if not self._lines.take(now, 1):
            self.dropped += 1
            self.dropped_bytes += len(raw)
            return
        line = read_line(raw[:LINE_BYTES])
        if len(raw) > LINE_BYTES:
            line["cut"] = True
            self.dropped += 1
            self.dropped_bytes += len(raw) - LINE_BYTES
        self._keep(fd, line)

    def _tell_repeats(self, fd: int, repeats: int) -> None:
        times = "once more" if repeats == 1 else f"{repeats} times more"
        self._keep(fd, {"ts": timestamp(), "text": f"(the same {times})", "repeated": repeats})

    def _keep(self, fd: int, line: Line) -> None:
        line |= {"account": self.name, "incarnation": self._incarnation}
        line["stream"] = self._streams[fd]
        kept = line if self._screen is None else self._screen(line)
        if kept is not None:
            self._store.add(self.name, kept)

    def _close(self, fd: int) -> None:
        if fd not in self._streams:
            return
        asyncio.get_running_loop().remove_reader(fd)
        if self._parts[fd]:
            self._take(fd, bytes(self._parts.pop(fd)))
        if repeats := self._folds[fd].repeats:
            self._tell_repeats(fd, repeats)
        os.close(fd)
        del self._streams[fd]
        if not self._streams:
            self._store.forget(self)


def read_line(raw: bytes) -> Line:
    """Return a log line: a JSON object as it is, anything else as ``text``, binary escaped.

    Only what can be encoded again counts as JSON: no half surrogate, no NaN.
    """
    now = timestamp()
    text = raw.decode("utf-8", "backslashreplace").rstrip("\r")
    if text.startswith("{"):
        with contextlib.suppress(*MALFORMED):
            line: Line = {"ts": now} | msgspec.json.decode(text)
            return line if isinstance(line["ts"], str) else line | {"ts": now}
    return {"ts": now, "text": text}


def timestamp() -> str:
    """Return now as ISO 8601 in UTC with milliseconds."""
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now * 1000) % 1000:03d}Z"


def configure(store: LogStore, *, level: str, to_stderr: bool) -> None:
    """Have our own structured records written to the log ``supervisor``, without secrets."""

    def keep(logger: Any, method: str, event: Any) -> Any:
        # What our code notes may hold anything; what leaves us must be JSON.
        line = json.loads(_encode({"ts": timestamp(), "account": "supervisor", **event}))
        store.add("supervisor", line)
        if not to_stderr:
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            redact,
            keep,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def set_level(level: str) -> None:
    """Have records below ``level`` dropped from now on."""
    if structlog.is_configured():
        structlog.configure(
            **structlog.get_config()
            | {"wrapper_class": structlog.make_filtering_bound_logger(level)}
        )


def redact(logger: Any, method: str, event: Any) -> Any:
    """Hide the values of fields that are named like secrets (a structlog processor)."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "***"
    return event
