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
        if self._output is not None and not is_named(self._output, OUTPUT[-1]):
            with contextlib.suppress(OSError):  # a full disk: the next look tries again
                self._open_output(self._output)

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
