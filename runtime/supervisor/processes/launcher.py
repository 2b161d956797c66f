"""Starts processes through the zygote or by exec, and ends leftovers of ended children.

Only this module of the supervisor starts processes. Children are forked by the zygote through
``aiomultiprocess``, of which only ``Process`` is used, never its ``join`` (which polls every
5 ms) or its Manager (an additional process that could die).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

from ipc.helpers import helpers_spared
from runtime.config.interpreter_wording import no_program
from runtime.config.variables import GATEWAY_VARIABLES
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.cgroups import ControlGroup, ControlGroups, GroupLimits
from runtime.supervisor.processes.descent import child_above
from runtime.supervisor.processes.exec_call import exec_call
from runtime.supervisor.processes.process import (
    Pipes,
    SpawnedProcess,
    SpawnError,
    SpawnShortage,
    Spec,
    kept_free,
)
from runtime.supervisor.processes.sweeping import Sweep
from runtime.supervisor.processes.termination import kill_and_reap
from runtime.zygote.child import MAX_REQUEST_BYTES
from runtime.zygote.client import Zygote, ZygoteStopped, mark
from runtime.zygote.forked import fork, write_bootstrap

SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)

P = ParamSpec("P")
T = TypeVar("T")


class Forker(Protocol):
    """A process that forks children for us, such as the zygote of a channel."""

    async def request_fork(self, message: bytes, fds: list[int]) -> int:
        """Return the pid of the child that was forked; raises ``SpawnError``."""


class Launcher:
    """Starts children. ``zygote`` is one that is already started; ``close`` ends it.

    ``zygotes`` counts all zygotes so far.

    It must be created in the main thread of a supervisor that is a child subreaper. All spawning
    is done in one dedicated thread: it blocks for milliseconds, and PR_SET_PDEATHSIG fires when the
    spawning *thread* ends (prctl(2)), so that thread lives as long as the launcher.
    """

    def __init__(
        self, *, run_id: str, preload: Sequence[str] = (), zygote: Zygote | None = None
    ) -> None:
        self._run_id = run_id
        known = set() if zygote is None else {zygote.pid}
        strangers = os.getpid() == 1 or bool(vitals.own_children() - known)
        self._preload = list(preload)
        self.zygotes = 0
        self._withheld = GATEWAY_VARIABLES
        self._thread = ThreadPoolExecutor(1, "spawner")
        self._sweep = Sweep(mark(run_id), self._thread.submit, strangers=strangers)
        self._zygote: Zygote | None = None
        self._set_zygote(zygote)
        self._memory = vitals.MemoryKills()
        self._groups: ControlGroups | None = None
        self._limits_by = "polling"

    def start(self) -> None:
        """Start the zygote; returns before it has imported its modules."""
        if self._zygote is None:
            withheld = self._withheld
            zygote = Zygote(self._run_id, withheld)
            self._set_zygote(zygote)
            if self._withheld is not withheld:  # more was withheld meanwhile, by another thread
                zygote.forget(self._withheld)
        self._send_preload()

    def preload(self, modules: Sequence[str]) -> None:
        """Ask the zygote to import modules, such as those of the channels in use."""
        self._preload = list(modules)
        self._send_preload()

    def withhold(self, names: Iterable[str]) -> None:
        """Also withhold these variables from children whose ``Spec`` does not name them.

        They stay withheld: a secret remains one when no reference names it any more. A foreign
        program gets them, because it is the gateway and runs the accounts itself; none of ours may
        run beside it.
        """
        new = frozenset(names) - self._withheld
        if not new:
            return
        self._withheld |= new
        zygote = self._zygote  # the spawner thread may be replacing it
        if zygote is not None:
            zygote.forget(new)

    def _set_zygote(self, zygote: Zygote | None) -> None:
        """Use this zygote from now on, and exempt it from sweeps."""
        if self._zygote is not None:
            self._sweep.ours.discard(self._zygote.pid)
        if zygote is not None:
            self._sweep.ours.add(zygote.pid)
            self.zygotes += 1
        self._zygote = zygote

    @property
    def withheld(self) -> frozenset[str]:
        """The environment variables withheld from children that do not name them."""
        return self._withheld

    @property
    def swept(self) -> int:
        """The number of leftover processes of children that were ended."""
        return self._sweep.swept

    @property
    def modules(self) -> list[str]:
        """The modules that the zygote imports in addition to those that all workers share."""
        return self._preload

    @property
    def zygote_pid(self) -> int | None:
        """The process id of the present zygote."""
        return None if self._zygote is None else self._zygote.pid

    @property
    def limits_by(self) -> str:
        """A phrase for operators that says what enforces the limits of accounts."""
        return self._limits_by

    def use_groups(self, groups: ControlGroups | None, limits_by: str) -> None:
        """Set the control groups for children spawned from now on, one each, if available.

        ``limits_by`` is the phrase for an operator.
        """
        self._groups, self._limits_by = groups, limits_by

    def limit(self, name: str, limits: GroupLimits) -> None:
        """Change the limits of a running child's control group, if it has one."""
        if self._groups is not None:
            self._groups.limit(name, limits)

    def starter_of(self, pid: int) -> int | None:
        """Return our child that a process is or descends from; ``None`` if there is none.

        Helpers of the supervisor itself, and adopted orphans of other programs, do not count.
        Raises ``ProcessLookupError`` if it cannot be determined.
        """
        top = child_above(pid)
        if top is None or top in self._sweep.ours:
            return top
        with helpers_spared() as helpers:
            if top in helpers:
                return None
        if self._sweep.strangers and not vitals.is_marked(top, mark(self._run_id)):
            return None
        return top  # left by a child that is gone, and not swept yet

    async def replace(self, modules: Sequence[str]) -> None:
        """Replace the zygote by one that imports ``modules``; children keep running."""
        self._preload = list(modules)
        await self._in_thread(self._renew)

    async def spawn(self, spec: Spec, by: Forker | None = None) -> SpawnedProcess:
        """Start a process; raises ``SpawnError``. A cancelled spawn leaves no process.

        If ``by`` is given, it forks the child instead of the zygote; other starts do not wait for
        it.
        """
        starting = self._in_thread(self._spawn, spec) if by is None else self._spawn_by(by, spec)
        task = asyncio.ensure_future(starting)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            process = await task
            process.kill()
            os.close(process.stdout)
            os.close(process.stderr)
            await process.wait()
            raise

    def reap_strangers(self) -> None:
        """Reap adopted orphans of other programs, too; call it on the running loop."""
        self._sweep.reap_strangers()

    def close(self) -> None:
        """End the zygote, wait for the thread, and sweep a last time."""
        if self._sweep.strangers:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._thread.shutdown(wait=True)
        self._end_zygote()
        self._sweep.now()
        if self._groups is not None:
            self._groups.close()

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    # From here on everything runs in the spawner thread, ``_spawn_by`` excepted.

    def _spawn(self, spec: Spec) -> SpawnedProcess:
        launch = self._exec if spec.command or spec.launcher == "exec" else self._fork
        with _pipes(spec) as pipes:
            pid = launch(spec, self._environment(spec), pipes)
            return self._watched(spec, pid, pipes)

    async def _spawn_by(self, forker: Forker, spec: Spec) -> SpawnedProcess:
        with _pipes(spec) as pipes:
            message, fds = _request(spec, self._environment(spec), pipes)
            with self._sweep.postponed():
                pid = await forker.request_fork(message, fds)
                self._sweep.ours.add(pid)
            return await self._in_thread(self._boot, spec, pid, pipes)

    def _boot(self, spec: Spec, pid: int, pipes: Pipes) -> SpawnedProcess:
        """Write the bootstrap of a forked child to its pipe."""
        pipes.close_theirs()
        fork(spec.target, spec.payload, pipes.boot_writer, lambda: pid)
        return self._watched(spec, pid, pipes)

    def _environment(self, spec: Spec) -> dict[str, str]:
        return {**spec.env, "TRUNKLINE_PEER": spec.name, "TRUNKLINE_RUN_ID": self._run_id}

    def _watched(self, spec: Spec, pid: int, pipes: Pipes) -> SpawnedProcess:
        pidfd = self._pidfd(pid, pipes)
        os.set_blocking(pidfd, True)
        return SpawnedProcess(
            pid,
            pidfd,
            pipes,
            memory=self._memory,
            on_reaped=self._sweep.on_reaped,
            group=self._group(spec, pid),
        )

    def _pidfd(self, pid: int, pipes: Pipes) -> int:
        """Return a pidfd of a new child; kill a child that cannot be watched."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            pipes.close()  # which makes room for the handle by which it is ended
            kill_and_reap(pid)
            raise
        self._sweep.ours.add(pid)
        return pidfd

    def _group(self, spec: Spec, pid: int) -> ControlGroup | None:
        """Move a new child into its own control group, if groups are available."""
        if self._groups is None or spec.limits is None:
            return None
        try:
            return self._groups.create(spec.name, pid, spec.limits)
        except OSError:  # it has died, or its group was taken away: its memory is polled then
            return None

    def _fork(self, spec: Spec, env: dict[str, str], pipes: Pipes) -> int:
        message, fds = _request(spec, env, pipes)

        def ask() -> int:
            pid = self._request_fork(message, fds)
            pipes.close_theirs()
            return pid

        if spec.modules:
            return ask()
        return fork(spec.target, spec.payload, pipes.boot_writer, ask)

    def _exec(self, spec: Spec, env: dict[str, str], pipes: Pipes) -> int:
        boot, words, stdout, stderr = pipes.child_ends()
        passed = {"boot": boot, "words": words, **spec.fds}
        call = exec_call(spec, env, passed, self._run_id, self._withheld_from(spec))
        try:
            started = subprocess.Popen(  # noqa: S603 - an interpreter that the operator has chosen
                call.argv,
                pass_fds=list(passed.values()),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env=call.env,
            )
        except OSError as error:
            if spec.python is None or error.errno in SHORTAGES:
                raise
            raise SpawnError(no_program(spec.python, error.strerror or "")) from None
        started.returncode = 0  # we reap it ourselves, by its pidfd
        pipes.close_theirs()
        write_bootstrap(pipes.boot_writer, call.payload)
        return started.pid

    def _withheld_from(self, spec: Spec) -> frozenset[str]:
        """Return the environment variables that a child must not get."""
        return frozenset() if spec.command else self._withheld - spec.variables

    def _request_fork(self, message: bytes, fds: list[int]) -> int:
        """Send the zygote a request to fork; replace it once if it is dead or does not answer."""
        for last in (False, True):
            if self._zygote is None or self._zygote.dead:
                self._renew()
            assert self._zygote is not None
            try:
                answer = self._zygote.request_fork(message, fds)
            except OSError as error:
                answer, stopped = b"", isinstance(error, ZygoteStopped)
                if last:
                    raise SpawnError(f"zygote: {error}") from None
            else:
                stopped = False
            if len(answer) == 8:
                return int(struct.unpack("q", answer)[0])
            if answer:
                raise SpawnError(answer.decode(errors="replace"))
            if last:
                break
            if not stopped:
                self._preload = []  # whatever it imported last may have killed it, or hung
            self._renew()
        raise SpawnError("the zygote died twice")

    def _renew(self) -> None:
        self._end_zygote()
        self.start()

    def _end_zygote(self) -> None:
        zygote = self._zygote
        if zygote is not None:
            zygote.end()
            self._set_zygote(None)

    def _send_preload(self) -> None:
        zygote = self._zygote  # the spawner thread may be replacing it
        if zygote is not None and self._preload:
            zygote.preload(self._preload)


@contextlib.contextmanager
def _pipes(spec: Spec) -> Iterator[Pipes]:
    """Create the pipes of a child; close them if it is not started. Raises ``SpawnError``."""
    try:
        pipes = Pipes(0 if spec.last_files else kept_free())
    except OSError as error:
        raise _why(error) from None
    try:
        yield pipes
    except OSError as error:
        pipes.close()
        raise _why(error) from None
    except BaseException:
        pipes.close()
        raise


def _request(spec: Spec, env: dict[str, str], pipes: Pipes) -> tuple[bytes, list[int]]:
    """Return the request to fork a child, with its descriptors; raises ``SpawnError``."""
    own = {name: os.environ[name] for name in spec.variables if name in os.environ}
    request = {"kind": "spawn", "name": spec.name, "env": own | env, "fds": list(spec.fds)}
    if spec.modules:
        request |= {"kind": "channel", "modules": list(spec.modules)}
    message = json.dumps(request).encode()
    if len(message) > MAX_REQUEST_BYTES:
        raise SpawnError("the variables of its secrets are too long: use source file")
    return message, [*pipes.child_ends(), *spec.fds.values()]


def _why(error: OSError) -> SpawnError:
    kind = SpawnShortage if error.errno in SHORTAGES else SpawnError
    return kind(error.strerror or str(error))
