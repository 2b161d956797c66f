"""Reports changes in directories to the event loop: inotify(7).

It calls two functions of the C library itself: watchfiles adds threads that wake up every second,
and 2 MiB of modules; inotify_simple and asyncinotify find the C library with
``ctypes.util.find_library``, which starts ``ldconfig``, a process that the supervisor does not
supervise.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path

IN_ATTRIB, IN_CLOSE_WRITE, IN_MODIFY = 0x4, 0x8, 0x2
IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE = 0x40, 0x80, 0x100, 0x200
IN_DELETE_SELF, IN_MOVE_SELF = 0x400, 0x800
IN_ONLYDIR = 0x01000000
CHANGES = (
    IN_ATTRIB | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
    | IN_DELETE_SELF | IN_MOVE_SELF
)  # fmt: skip
STEP = 0.05  # seconds in which events are gathered: a neighbour may be written all the time
READ_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Calls ``on_event()`` after events in any of these directories, at most every 50 ms.

    It does not report which file changed: compare the files. Raises ``OSError`` if a directory
    cannot be watched. The caller closes it.
    """

    def __init__(self, directories: Iterable[Path], on_event: Callable[[], None]) -> None:
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            for directory in directories:
                path = os.fsencode(directory)
                _checked(_libc.inotify_add_watch(self._fd, path, CHANGES | IN_ONLYDIR), path)
        except OSError:
            os.close(self._fd)
            raise
        self._loop.add_reader(self._fd, self._gather)

    def close(self) -> None:
        """Stop watching; a second call does nothing."""
        if self._fd < 0:
            return
        self._loop.remove_reader(self._fd)
        if self._timer is not None:
            self._timer.cancel()
        os.close(self._fd)
        self._fd = -1

    def _gather(self) -> None:
        """Wait for more events before they are read."""
        self._loop.remove_reader(self._fd)
        self._timer = self._loop.call_later(STEP, self._read)

    def _read(self) -> None:
        self._timer = None
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, READ_BYTES):
                pass
        self._loop.add_reader(self._fd, self._gather)
        self._on_event()


def _checked(result: int, path: bytes = b"") -> int:
    """Return the result of a call; raises ``OSError`` where it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *filter(None, [os.fsdecode(path)]))
    return result
