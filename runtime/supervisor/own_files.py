"""Reopens files of the supervisor that other programs have renamed or removed.

An open handle outlives the name of a file that another program rotates or removes: lines written
to it are lost, and a lock on it excludes nobody. Log files check this at each write, and files that
are written whole have no handle; the others are checked here, every second and on SIGHUP.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import structlog

from ipc.files import is_named, open_to_write
from runtime.config.places import Places
from runtime.supervisor.instance import Instance
from runtime.supervisor.logs.store import LogStore

OUTPUT = (1, 2)  # standard output and standard error
KEPT_BYTES = 1024 * 1024  # of an output that has become too large

log = structlog.get_logger("supervisor")


class OwnFiles:
    """The locks, the logs and, with ``output``, the output file of a detached supervisor.

    With ``places`` also the link to the directory of its sockets: without it a command in another
    environment finds no supervisor, while ``up`` finds its lock.
    ``warnings`` are about locks that could not be taken again.
    """

    def __init__(
        self,
        instance: Instance,
        logs: LogStore,
        output: Path | None = None,
        places: Places | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self._instance = instance
        self._logs = logs
        self._output = output
        self._places = places

    def check(self) -> None:
        """Lock again, link again and open again what was renamed or removed."""
        before, self.warnings = self.warnings, self._instance.ensure_locks()
        for warning in self.warnings:
            if warning not in before:
                log.error(warning)
        self._logs.retry()
        if self._places is not None:
            with contextlib.suppress(OSError):  # a full disk: the next check tries again
                self._places.relink_run_dir()
        if self._output is not None:
            with contextlib.suppress(OSError):  # likewise
                if not is_named(self._output, OUTPUT[-1]):
                    self._open_output(self._output)
                _shorten(self._output, self._logs.config.max_bytes)

    def reopen(self) -> None:
        """Reopen every file by its name, after SIGHUP of a log-rotating program."""
        self._logs.reopen()
        self.check()

    def _open_output(self, output: Path) -> None:
        output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = open_to_write(output, os.O_APPEND)
        for each in OUTPUT:
            os.dup2(fd, each)
        os.close(fd)


def _shorten(output: Path, most_bytes: int) -> None:
    """Empty a file that is larger than ``most_bytes``; its end is moved to ``<name>.1``.

    Unlike other logs it is not renamed, because the zygote writes to it, too: all writers append,
    so they continue at its beginning. On a full disk its end is lost.
    """
    if output.stat().st_size <= most_bytes:
        return
    with open(output, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - min(most_bytes, KEPT_BYTES)))
        rest = file.read()
        with contextlib.suppress(OSError):
            older = output.with_name(f"{output.name}.1")
            with open(older, "wb", opener=open_to_write) as kept:
                kept.write(rest)
        file.truncate(0)
