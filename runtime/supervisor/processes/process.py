"""Represents a spawned process: its specification, its pipes, its signals and its exit.

Signals are sent through a pidfd, which cannot reach another process that reuses the pid
(pidfd_open(2)). A pidfd becomes readable when the process ends, so nothing polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import signal
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from ipc.hidden_fields import hide_fields
from ipc.nesting import load_json
from runtime.supervisor.lifecycle import SIGKILL, Exit
from runtime.supervisor.processes.cgroups import ControlGroup, GroupLimits
from runtime.supervisor.processes.vitals import MemoryKills

LAST_WORDS_BYTES = 16 * 1024
MAX_RETRY_AFTER = 1e9  # seconds; the loop's timers take no more than some decades

TRACED_SECONDS = 5.0  # for a debugger to take the end of what it traces, before it is left to it
TRACED_CHECK_SECONDS = 0.05


class SpawnError(Exception):
    """A process could not be started; the text is the reason."""


class SpawnShortage(SpawnError):
    """A process could not be started because the supervisor lacks files, memory or processes."""


@hide_fields("payload", "env")
class Spec(msgspec.Struct, frozen=True):
    """What to start: ``target`` is ``package.module:coroutine``, called with ``payload``.

    ``fds`` are descriptors it inherits, by name; they stay ours as well. ``name`` is the peer,
    ``irc:libera#12``. With a ``command``, that foreign program is started instead; ``env`` is
    then passed to it through a pipe, and it gets nothing else of ours. ``limits`` apply where
    there are control groups (``Launcher.use_groups``). ``variables`` are the environment
    variables that its own references name: of those that the launcher withholds it gets these.
    With ``modules`` it is the zygote of a channel, which imports them. ``python`` is another
    interpreter, in which Trunkline is installed: it runs there, by exec. ``last_files``: it may be
    started with the files that are kept free for operators and for what runs already.
    """

    name: str
    target: str
    payload: bytes
    fds: dict[str, int] = msgspec.field(default_factory=dict)
    launcher: Literal["zygote", "exec"] = "zygote"
    env: dict[str, str] = msgspec.field(default_factory=dict)
    command: tuple[str, ...] = ()
    limits: GroupLimits | None = None
    variables: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    python: str | None = None
    last_files: bool = False


class SpawnedProcess:
    """A child of the supervisor.

    ``stdout`` and ``stderr`` are the read ends of its pipes: the caller that takes them closes
    them. ``wait`` must be awaited, once, or the process stays a zombie. ``on_reaped(pid)`` is
    called when it has been reaped; ``memory`` counts the kernel's out-of-memory kills.
    """

    def __init__(
        self,
        pid: int,
        pidfd: int,
        pipes: Pipes,
        *,
        memory: MemoryKills,
        on_reaped: Callable[[int], None],
        group: ControlGroup | None = None,
    ) -> None:
        self.pid = pid
        self.group = group
        self.stdout, self.stderr, self._words = pipes.detach()
        self._memory = memory
        self._on_reaped = on_reaped
        self._pidfd = pidfd
        self._reaped = False
        self._killed = False  # by the supervisor: then it was not for lack of memory

    @property
    def reaped(self) -> bool:
        """Whether it is gone, so that its pid may belong to another process."""
        return self._reaped

    def terminate(self) -> None:
        """Send SIGTERM, and SIGCONT, because a stopped process would not handle SIGTERM."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL to it and to its process group."""
        self._killed = True
        self.signal(signal.SIGKILL)
        self._kill_group()

    def signal(self, number: int) -> None:
        """Send a signal; does nothing if the process has ended."""
        if not self._reaped:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _kill_group(self) -> None:
        # Safe only until it is reaped: a zombie keeps its pid, and so its group's id, taken.
        if not self._reaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> Exit:
        """Reap it, end its process group, and return how it ended."""
        await self._until_ended()
        self._kill_group()
        status = await self._reap()
        self._reaped = True
        os.close(self._pidfd)
        words = self._last_words()
        kills = self._remove_group()
        self._on_reaped(self.pid)
        if status is None:
            return replace(words, text=words.text or "ended under a debugger, which keeps how")
        if status.si_code == os.CLD_EXITED:
            return replace(words, code=status.si_status)
        killed = status.si_status == SIGKILL and not self._killed
        # Without a control group there is only the count of the whole machine: a hint.
        oom = killed and (self._memory.increased() if kills is None else kills > 0)
        return replace(words, signal=status.si_status, oom=oom)

    async def _until_ended(self) -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pidfd, lambda: None if ended.done() else ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(self._pidfd)

    async def _reap(self) -> os.waitid_result | None:
        """Reap the process; return ``None`` if a debugger does not release it.

        The pidfd is readable at once, but the exit of a traced process goes to its tracer first
        (ptrace(2)): until the tracer has taken it the parent gets nothing, and there is no event
        for that.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TRACED_SECONDS
        while True:
            how = os.WEXITED | os.WNOHANG
            status = os.waitid(os.P_PIDFD, self._pidfd, how)  # noqa: ASYNC222 — it returns at once
            if status is not None or loop.time() >= deadline:
                return status
            await asyncio.sleep(TRACED_CHECK_SECONDS)

    def _remove_group(self) -> int | None:
        """Remove its control group; return how many of its processes were killed for memory."""
        if self.group is None:
            return None
        kills = self.group.memory_kills
        self.group.remove()
        return kills

    def _last_words(self) -> Exit:
        """Return an exit with the last words that the process wrote: cause, text and details.

        It does not wait for the pipe's end, because a grandchild may hold it open.
        """
        try:
            data = os.read(self._words, LAST_WORDS_BYTES)
        except BlockingIOError:
            data = b""
        finally:
            os.close(self._words)
        for line in reversed(data.splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                said = load_json(line)
                return Exit(
                    said=str(said["cause"]),
                    text=str(said["text"]) or None,
                    final=said.get("final") is True,
                    retry_after=_seconds(said.get("retryAfter")),
                )
        return Exit()


def _seconds(value: Any) -> float | None:
    """Return the wait that a child asked for in seconds; ``None`` if it is not valid."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and 0 < value < MAX_RETRY_AFTER else None


class Pipes:
    """The four pipes of a child: bootstrap in; last words, stdout and stderr out.

    Raises ``OSError`` if fewer than ``keep_free`` files would be left.
    """

    def __init__(self, keep_free: int = 0) -> None:
        self._fds: list[int] = []
        try:
            boot_reader, self.boot_writer = self._pipe()
            self._words, words = self._pipe()
            self._stdout, stdout = self._pipe()
            self._stderr, stderr = self._pipe()
            _require_free(keep_free, self._fds)
        except OSError:  # EMFILE at the third of them must not keep the first two
            self.close()
            raise
        self._theirs = [boot_reader, words, stdout, stderr]

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._fds += [reader, writer]
        return reader, writer

    def child_ends(self) -> list[int]:
        """Return the ends that the child inherits, in the order of ``zygote.STREAMS``."""
        return self._theirs

    def close_theirs(self) -> None:
        """Close the child's ends once it has them, so that writes to it fail when it has died."""
        for fd in self._theirs:
            os.close(fd)
            self._fds.remove(fd)
        self._theirs = []

    def detach(self) -> tuple[int, int, int]:
        """Return the read ends of stdout, stderr and last words, non-blocking; close all others."""
        kept = (self._stdout, self._stderr, self._words)
        for fd in self._fds:
            if fd in kept:
                os.set_blocking(fd, False)
            else:
                os.close(fd)
        return kept

    def close(self) -> None:
        """Close every end, because no child was started."""
        for fd in self._fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self._fds.clear()


def kept_free() -> int:
    """Return how many files accounts and agents leave free.

    Operators need some to connect, and workers for their links: without one ZeroMQ aborts us.
    """
    return min(32, max(8, file_limit() // 8))


def file_limit() -> int:
    """Return how many files this process may open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft


def _require_free(count: int, fds: list[int]) -> None:
    """Raise ``OSError`` if fewer files are free: the kernel has returned the lowest numbers."""
    limit = file_limit()
    if max(fds) + count >= limit:
        raise OSError(
            errno.EMFILE,
            f"{os.strerror(errno.EMFILE)}: the supervisor may open {limit}, and {count} are kept"
            " free; raise its limit (ulimit -n, LimitNOFILE=)",
        )
