"""Starts processes, watches them, and ends them with everything they started.

The only place that does. Children come from the zygote through ``aiomultiprocess``, of which
only ``Process`` is used, and never its ``join`` (it polls every 5 ms) or its Manager (one more
process to die). A pidfd in the event loop says when a child is gone: nothing polls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.supervisor.lifecycle import SIGKILL, Exit
from runtime.supervisor.processes.cgroups import Group, Groups, Limits
from runtime.supervisor.processes.memory import MemoryKills
from runtime.zygote import server
from runtime.zygote.client import Zygote, environment
from runtime.zygote.forked import fork, tell

SWEEP_AFTER = 0.05  # exits that come together are swept together
WORDS_BYTES = 16 * 1024


class SpawnError(Exception):
    """A process could not be started; the text says why."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start: ``target`` is ``package.module:coroutine``, called with ``payload``.

    ``fds`` are descriptors it inherits, by name; they stay ours as well. ``name`` is the peer,
    ``irc:libera#12``. With a ``command``, that foreign program is started instead; ``env`` then
    goes to it unseen by others, and it gets nothing else of ours. ``limits`` hold where there
    are control groups (``Launcher.groups``).
    """

    name: str
    target: str
    payload: bytes
    fds: dict[str, int] = field(default_factory=dict)
    launcher: Literal["zygote", "exec"] = "zygote"
    env: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    limits: Limits | None = None


class Process:
    """A child of ours. ``stdout`` and ``stderr`` are the read ends of its pipes: whoever
    takes them closes them. ``wait`` must be awaited, once, or it stays a zombie.
    """

    def __init__(
        self,
        launcher: Launcher,
        pid: int,
        pidfd: int,
        stdout: int,
        stderr: int,
        words: int,
        group: Group | None = None,
    ) -> None:
        self.pid = pid
        self.group = group
        self.stdout = stdout
        self.stderr = stderr
        self._launcher = launcher
        self._pidfd = pidfd
        self._words = words
        self._gone = False
        self._killed = False  # by us: then it was not for want of memory

    @property
    def reaped(self) -> bool:
        """Whether it is gone and its pid free for a stranger."""
        return self._gone

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); a stopped one is continued, or it would never notice."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and its process group (SIGKILL)."""
        self._killed = True
        self._signal(signal.SIGKILL)
        self._kill_group()

    def signal(self, number: int) -> None:
        """Send it a signal that it is known to understand."""
        self._signal(number)

    def _signal(self, number: int) -> None:
        # Through the pidfd: never to a stranger that got the pid meanwhile (pidfd_open(2)).
        if not self._gone:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _kill_group(self) -> None:
        # Safe only until it is reaped: a zombie keeps its pid, and so its group's id, taken.
        if not self._gone:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> Exit:
        """Return how it ended, once it is reaped and its process group is ended too."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._pidfd, lambda: None if ended.done() else ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(self._pidfd)
        self._kill_group()
        status = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)  # noqa: ASYNC222 — it has ended
        self._gone = True
        os.close(self._pidfd)
        said, text = self._last_words()
        kills = self._leave_group()
        self._launcher.ended(self.pid)
        assert status is not None
        if status.si_code == os.CLD_EXITED:
            return Exit(code=status.si_status, said=said, text=text)
        killed = status.si_status == SIGKILL and not self._killed
        # Without a group there is only the machine's count: a hint.
        oom = killed and (self._launcher.memory.more() if kills is None else kills > 0)
        return Exit(signal=status.si_status, said=said, text=text, oom=oom)

    def _leave_group(self) -> int | None:
        """Remove its control group; return how many of it the kernel ended for want of memory."""
        if self.group is None:
            return None
        kills = self.group.memory_kills
        self.group.remove()
        return kills

    def _last_words(self) -> tuple[str | None, str | None]:
        """Read what it said. Not to the end of the pipe: a grandchild may hold that open."""
        try:
            data = os.read(self._words, WORDS_BYTES)
        except BlockingIOError:
            data = b""
        finally:
            os.close(self._words)
        for line in reversed(data.splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                return str(said["cause"]), str(said["text"]) or None
        return None, None


class Launcher:
    """Starts children. ``zygote`` is one that was started before; ``close`` ends it.

    Must be made in the main thread of a supervisor that is a child subreaper. All spawning
    happens in one thread of its own: it blocks for milliseconds, and PR_SET_PDEATHSIG fires
    when the spawning *thread* ends (prctl(2)), so that thread lives as long as we do.
    """

    def __init__(
        self, *, run_id: str, preload: Sequence[str] = (), zygote: Zygote | None = None
    ) -> None:
        self._run_id = run_id
        self._preload = list(preload)
        self._thread = ThreadPoolExecutor(1, "spawner")
        self._zygote = zygote
        self._ours: set[int] = set()
        self._sweep_due = False
        self.memory = MemoryKills()
        self.groups: Groups | None = None  # control groups; set before the first spawn
        self.limits_by = "polling"  # what an operator is told about that
        self.swept = 0  # processes that children left behind

    def start(self) -> None:
        """Start the zygote; returns at once, it imports meanwhile."""
        if self._zygote is None:
            self._zygote = Zygote(self._run_id)
        self._send_preload()

    def preload(self, modules: Sequence[str]) -> None:
        """Have the zygote import these too, the SDKs of the channels in use, say."""
        self._preload = list(modules)
        self._send_preload()

    @property
    def modules(self) -> list[str]:
        """What the zygote imports beside what all workers share."""
        return self._preload

    async def replace(self, modules: Sequence[str]) -> None:
        """Start over with another set of modules; no child notices."""
        self._preload = list(modules)
        await self._in_thread(self._renew)

    async def spawn(self, spec: Spec) -> Process:
        """Start a process; raises ``SpawnError``. When cancelled, what was started is ended."""
        task = asyncio.ensure_future(self._in_thread(self._spawn, spec))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            process = await task
            process.kill()
            os.close(process.stdout)
            os.close(process.stderr)
            await process.wait()
            raise

    def ended(self, pid: int) -> None:
        """Take note that a child was reaped; what it left behind is swept soon."""
        self._ours.discard(pid)
        if not self._sweep_due:
            self._sweep_due = True
            loop = asyncio.get_running_loop()
            loop.call_later(SWEEP_AFTER, self._sweep_soon)

    def close(self) -> None:
        """End the zygote, wait for the thread, and sweep once more."""
        self._thread.shutdown(wait=True)
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None
        self._sweep()
        if self.groups is not None:
            self.groups.close()

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    # In the spawner thread

    def _spawn(self, spec: Spec) -> Process:
        try:
            pipes = _Pipes()
        except OSError as error:
            raise SpawnError(error.strerror or str(error)) from None
        try:
            env = {**spec.env, "TRUNKLINE_PEER": spec.name, "TRUNKLINE_RUN_ID": self._run_id}
            launch = self._exec if spec.command or spec.launcher == "exec" else self._fork
            pid = launch(spec, env, pipes)
            self._ours.add(pid)
            pidfd = os.pidfd_open(pid)
        except OSError as error:
            pipes.close()
            raise SpawnError(error.strerror or str(error)) from None
        except BaseException:
            pipes.close()
            raise
        os.set_blocking(pidfd, True)
        stdout, stderr, words = pipes.keep()
        return Process(self, pid, pidfd, stdout, stderr, words, self._group(spec, pid))

    def _group(self, spec: Spec, pid: int) -> Group | None:
        """Move a child that has just been born into a control group of its own."""
        if self.groups is None or spec.limits is None:
            return None
        try:
            return self.groups.enter(spec.name, pid, spec.limits)
        except OSError:  # it has died already; or its group was taken away, then we watch it
            return None

    def _fork(self, spec: Spec, env: dict[str, str], pipes: _Pipes) -> int:
        request = {"kind": "spawn", "name": spec.name, "env": env, "fds": list(spec.fds)}
        fds = [*pipes.child_ends(), *spec.fds.values()]
        message = json.dumps(request).encode()

        def ask() -> int:
            pid = self._ask(message, fds)
            pipes.close_theirs()
            return pid

        return fork(spec.target, spec.payload, pipes.boot_writer, ask)

    def _exec(self, spec: Spec, env: dict[str, str], pipes: _Pipes) -> int:
        boot, words, stdout, stderr = pipes.child_ends()
        passed = {"boot": boot, "words": words, **spec.fds}
        names = ",".join(f"{name}={fd}" for name, fd in passed.items())
        if spec.command:  # its environment has secrets, and an argument list is for all to see
            path = os.environ.get("PYTHONPATH")  # the user's, not the one that leads to us
            wanted = {"command": spec.command, "env": env, "path": path}
            payload = json.dumps(wanted).encode()
            told = (os.getpid(), names)
            call = f"from runtime.zygote.server import exec_command; exec_command(*{told!r})"
        else:
            payload = spec.payload
            arguments = (os.getpid(), names, json.dumps(env), spec.name, spec.target)
            call = f"from runtime.zygote.server import exec_main; exec_main(*{arguments!r})"
        started = subprocess.Popen(  # noqa: S603 — likewise
            [sys.executable, "-c", call],
            pass_fds=list(passed.values()),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=environment(self._run_id),
        )
        started.returncode = 0  # we reap it ourselves, by its pidfd
        pipes.close_theirs()
        tell(pipes.boot_writer, payload)
        return started.pid

    def _ask(self, message: bytes, fds: list[int]) -> int:
        """Have the zygote fork; replace one that is dead or does not answer, once."""
        for last in (False, True):
            if self._zygote is None or self._zygote.dead:
                self._renew()
            assert self._zygote is not None
            try:
                answer = self._zygote.ask(message, fds)
            except OSError as error:
                answer = b""
                if last:
                    raise SpawnError(f"zygote: {error}") from None
            if len(answer) == 8:
                return int(struct.unpack("q", answer)[0])
            if answer:
                raise SpawnError(answer.decode(errors="replace"))
            if last:
                break
            self._preload = []  # whatever it imported last may have killed it, or hung
            self._renew()
        raise SpawnError("the zygote died twice")

    def _renew(self) -> None:
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None
        self.start()

    def _send_preload(self) -> None:
        zygote = self._zygote  # the spawner thread may be replacing it
        if zygote is not None and self._preload:
            zygote.preload(self._preload)

    def _sweep_soon(self) -> None:
        self._sweep_due = False
        with contextlib.suppress(RuntimeError):  # closed meanwhile: ``close`` sweeps
            self._thread.submit(self._sweep)

    def _sweep(self) -> None:
        """End and reap what ended children left behind.

        Every worker is a subreaper itself: its orphans stay its own until it ends, and only
        then become ours. So a child that we did not start belongs to one that is gone. This
        runs in the thread that spawns, hence never beside a spawn that is half done.
        """
        ours = self._ours | ({self._zygote.pid} if self._zygote else set())
        for pid in _children_of(os.getpid()):
            if pid in ours:
                continue
            with contextlib.suppress(ProcessLookupError, ChildProcessError, PermissionError):
                pidfd = os.pidfd_open(pid)  # our own child: unreaped, so the pid is its own
                try:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
                    self.swept += 1
                finally:
                    os.close(pidfd)


class _Pipes:
    """The four pipes of a child: bootstrap in; last words, stdout and stderr out."""

    def __init__(self) -> None:
        self._fds: list[int] = []
        try:
            boot_reader, self.boot_writer = self._pipe()
            self._words, words = self._pipe()
            self._stdout, stdout = self._pipe()
            self._stderr, stderr = self._pipe()
        except OSError:  # EMFILE at the third of them must not keep the first two
            self.close()
            raise
        self._theirs = [boot_reader, words, stdout, stderr]

    def _pipe(self) -> tuple[int, int]:
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._fds += [reader, writer]
        return reader, writer

    def child_ends(self) -> list[int]:
        """Return what the child gets, in the order of ``zygote.STREAMS``."""
        return self._theirs

    def close_theirs(self) -> None:
        """Close the child's ends once it has them: then its death ends a write to it."""
        for fd in self._theirs:
            os.close(fd)
            self._fds.remove(fd)
        self._theirs = []

    def keep(self) -> tuple[int, int, int]:
        """Close the rest; return what stays ours: stdout, stderr, words, not blocking."""
        kept = (self._stdout, self._stderr, self._words)
        for fd in self._fds:
            if fd in kept:
                os.set_blocking(fd, False)
            else:
                os.close(fd)
        return kept

    def close(self) -> None:
        """Close everything: there is no child."""
        for fd in self._fds:
            with contextlib.suppress(OSError):
                os.close(fd)


def become_subreaper() -> None:
    """Adopt the orphans below us (PR_SET_CHILD_SUBREAPER, prctl(2)): the zygote's forks."""
    server.prctl(server.PR_SET_CHILD_SUBREAPER, 1)


def _children_of(parent: int) -> list[int]:
    """Return the pids whose parent is ``parent``, zombies too."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{name}/stat", "rb") as stat:
                # The command may contain anything; what follows its last parenthesis does not.
                fields = stat.read().rpartition(b")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(name))
    return found
