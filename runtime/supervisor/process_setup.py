"""Prepares what a daemon inherits from its parent: streams, umask, signals, limits, directory.

A daemon may be started without standard streams, with an odd umask, with blocked or ignored
signals, with a low limit of open files, in a directory that is deleted later. Children inherit all
of it, so it is corrected once, here. It imports only the standard library: the command line calls
it before its own imports.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

OURS_ALONE = 0o077  # files that we and our children make are 0600, directories 0700
# With fewer open files a process that only connects could take all of them before the loop reads of
# it, and ZeroMQ ends a process that has none left.
MIN_FILES = 512
OWN_FILES = 64  # that a supervisor with a gateway needs, with room
FILES_PER_ACCOUNT = 8  # pipes, pidfd and log of one account; the limit should have room for all
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Signals whose inherited disposition would change what our own code or a child means by them.
# SIGHUP is not among them: nohup(1) ignores it for a reason.
_RESET = (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


def open_streams() -> None:
    """Open /dev/null for each of the descriptors 0, 1 and 2 that is closed.

    Otherwise the next opened file, such as a lock or a socket, would get that number, and text for
    people would be written into it.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:  # never: the lowest free number is taken
                os.dup2(null, fd)
                os.close(null)
            os.set_inheritable(fd, True)
            stream = open(fd, mode, closefd=False)  # noqa: SIM115 - it lives as the process does
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def write_error(text: str) -> None:
    """Write a line to standard error; ignore a failure.

    The failure is also in the exit code, which must not depend on standard error.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def drop_unwritten() -> None:
    """Drop buffered output that could not be written, as on a full disk or a closed terminal.

    The interpreter would try to write it again at its end, complain, and exit with 120 instead of
    the right code.
    """
    for fd, stream in ((1, sys.__stdout__), (2, sys.__stderr__)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, fd)
            os.close(null)


def set_up() -> None:
    """Correct umask, signal mask, inherited signal dispositions and the limit of open files.

    Raises ``OSError`` if the limit of open files is too low to work.
    """
    os.umask(OURS_ALONE)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in _RESET:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    raise_file_limit()


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one: each child costs several.

    Raises ``OSError``, whose text names the cure, if the hard limit is too low.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < MIN_FILES:
        raise OSError(
            errno.EMFILE,
            f"only {hard} files may be open here (ulimit -Hn, LimitNOFILE=), and the daemon needs"
            f" {MIN_FILES}, for many accounts {FILES_PER_ACCOUNT} for each: raise that limit",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def absolute_places(environ: MutableMapping[str, str], names: tuple[str, ...]) -> None:
    """Replace relative paths in variables by absolute ones: children have another directory."""
    for name in names:
        if value := environ.get(name):
            environ[name] = os.path.abspath(os.path.expanduser(value))


def change_directory(directory: Path) -> None:
    """Change to ``directory``, or to the root where it does not exist yet.

    The directory in which the daemon was started may be deleted or unmounted later, and may
    contain files that are named like modules.
    """
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def hangup_ends(*, detached: bool, ignored: bool) -> bool:
    """Return whether SIGHUP ends the daemon: if it has a terminal and SIGHUP is not ignored.

    Otherwise SIGHUP reloads the configuration, as for any daemon.
    """
    return not detached and not ignored and os.isatty(0)


class EarlySignals:
    """Holds back signals during the start until the loop handles them; a context manager.

    The start must not be interrupted at an arbitrary point: the first signal is kept; a second
    terminating one ends the process at once, and the kernel ends its children (PR_SET_PDEATHSIG).
    ``hangup_ignored`` is whether SIGHUP was ignored when the process began.
    """

    def __init__(self) -> None:
        self.hangup_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._before: dict[int, Any] = {}
        self._came: list[int] = []
        self._over = False

    def __enter__(self) -> EarlySignals:
        for number in ENDING_SIGNALS:
            if number != signal.SIGHUP or not self.hangup_ignored:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._over:
            for number in self._before:
                signal.signal(number, signal.SIG_IGN)  # forgets what has come meanwhile
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP and self.ending:
            os._exit(128 + number)
        self._came.append(number)

    @property
    def ending(self) -> bool:
        """Whether a terminating signal has come."""
        return any(number != signal.SIGHUP or os.isatty(0) for number in self._came)

    def replay(self) -> None:
        """Raise the kept signals again, now that the loop handles them."""
        came, self._came = self._came, []
        for number in came:
            signal.raise_signal(number)

    def end(self) -> None:
        """Ignore signals from now on, because the loop that handled them ends."""
        self._over = True
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
