"""Tracks the connections of a bound socket, and decides which of them must end. Pure.

ZeroMQ assigns a routing id to the connection that claimed it last, and forgets the earlier one: if
that has unread data, its file and its buffers stay until the socket is closed. So the earlier
connection of a worker is ended before a later one is admitted.
"""

from __future__ import annotations

import msgspec

CROWD_SHARE = 4  # this part of the unauthenticated connections that may stay is a crowd


class OpenConnection(msgspec.Struct):
    """One connection: the peer process, and the time it was opened."""

    pid: int
    since: float
    name: str | None = None  # what its process has proved to be
    ending: bool = False


class ConnectionTable:
    """The open connections of one socket, by file descriptor.

    At most ``most_unproven`` unauthenticated connections stay open, each for at most
    ``unproven_seconds``. A process that authenticates under several names is not one of ours, and
    its connections cannot be told apart: all of them stay.
    """

    def __init__(self, most_unproven: int, unproven_seconds: float) -> None:
        self._most_unproven = most_unproven
        self._unproven_seconds = unproven_seconds
        self._open: dict[int, OpenConnection] = {}
        self._unproven: dict[int, OpenConnection] = {}  # oldest first
        self._by_pid: dict[int, dict[int, None]] = {}  # oldest first
        self._names: dict[int, set[str]] = {}  # by process
        self._proven: dict[str, set[int]] = {}  # by name

    def __len__(self) -> int:
        return len(self._open)

    @property
    def unproven(self) -> int:
        """The number of unauthenticated connections."""
        return len(self._unproven)

    @property
    def crowded(self) -> bool:
        """Whether so many connections are unauthenticated that no more should come for a moment."""
        return len(self._unproven) > self._most_unproven // CROWD_SHARE

    def on_opened(self, fd: int, pid: int, now: float) -> None:
        """Add a new connection."""
        self.on_closed(fd)
        self._open[fd] = self._unproven[fd] = OpenConnection(pid, now)
        self._by_pid.setdefault(pid, {})[fd] = None

    def on_closed(self, fd: int) -> int | None:
        """Remove a connection; return its peer process."""
        known = self._open.pop(fd, None)
        if known is None:
            return None
        self._unproven.pop(fd, None)
        left = self._by_pid[known.pid]
        del left[fd]
        if not left:
            del self._by_pid[known.pid]
            self._names.pop(known.pid, None)
        if known.name is not None:
            proven = self._proven[known.name]
            proven.discard(fd)
            if not proven:
                del self._proven[known.name]
        return known.pid

    def pid(self, fd: int) -> int:
        """Return the peer process of a connection."""
        return self._open[fd].pid

    def earlier(self, name: str, pid: int) -> list[int]:
        """Return the connections that must end before this process is admitted under this name.

        The one that the process opened last is left out, because it is probably the new one.
        """
        last = None
        if pid in self._by_pid:
            self._names.setdefault(pid, set()).add(name)
            last = next(reversed(self._by_pid[pid]))
        return [
            fd
            for fd in self._proven.get(name, ())
            if fd != last and self._names.get(self._open[fd].pid) == {name}
        ]

    def on_proved(self, name: str, pid: int) -> None:
        """Mark a process as authenticated, and with it all of its connections."""
        for fd in self._by_pid.get(pid, ()):
            if self._unproven.pop(fd, None) is not None:
                self._open[fd].name = name
                self._proven.setdefault(name, set()).add(fd)

    def overdue(self, now: float) -> list[int]:
        """Return, once, unauthenticated connections that are too old or too many."""
        found = []
        surplus = len(self._unproven) - self._most_unproven
        for number, (fd, each) in enumerate(self._unproven.items()):
            if number >= surplus and now - each.since < self._unproven_seconds:
                break
            if not each.ending:
                each.ending = True
                found.append(fd)
        return found
