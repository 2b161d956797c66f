"""Reopens files of the supervisor that other programs have renamed or removed.

Whoever rotates or removes a file leaves an open handle behind that outlives the name: lines
that are written to it are read by no one, and a lock on it keeps no one out. Log files look at
each write, what is written whole has no handle; the rest is looked at here, every second and
on SIGHUP.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import structlog

from ipc.files import is_named
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore

OUTPUT = (1, 2)  # standard output and standard error
KEPT_BYTES = 1024 * 1024  # of an output that has become too large

log = structlog.get_logger("supervisor")


class OwnFiles:
    """The locks, the logs and, with an ``output``, the file of a detached supervisor's output.

    ``warnings`` are for the operator: locks that cannot be had again.
    """

    def __init__(self, instance: Instance, logs: LogStore, output: Path | None = None) -> None:
        self.warnings: list[str] = []
        self._instance = instance
        self._logs = logs
        self._output = output

    def look(self) -> None:
        """Lock and open again what was renamed or removed."""
        before, self.warnings = self.warnings, self._instance.keep_locks()
        for warning in self.warnings:
            if warning not in before:
                log.error(warning)
        if self._output is not None:
            with contextlib.suppress(OSError):  # a full disk: the next look tries again
                if not is_named(self._output, OUTPUT[-1]):
                    self._open_output(self._output)
                _shorten(self._output, self._logs.config.max_bytes)

    def reopen(self) -> None:
        """Open every file by its name, now: a program that rotates them has sent SIGHUP."""
        self._logs.reopen()
        self.look()

    def _open_output(self, output: Path) -> None:
        output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for each in OUTPUT:
            os.dup2(fd, each)
        os.close(fd)


def _shorten(output: Path, most_bytes: int) -> None:
    """Empty a file that has become larger than ``most_bytes``; its end goes to ``<name>.1``.

    It is not renamed as other logs are: the zygote prints into it too, and whoever appends to it
    goes on at its begin. On a full disk its end is lost.
    """
    if output.stat().st_size <= most_bytes:
        return
    with open(output, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - min(most_bytes, KEPT_BYTES)))
        rest = file.read()
        with contextlib.suppress(OSError):
            older = output.with_name(f"{output.name}.1")
            older.touch(mode=0o600)
            older.write_bytes(rest)
        file.truncate(0)
