"""Starts processes through the zygote or by exec, and ends what ended children leave behind.

The only place of the supervisor that does. Children come from the zygote through
``aiomultiprocess``, of which only ``Process`` is used, and never its ``join`` (it polls every
5 ms) or its Manager (one more process to die).
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
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ipc.helpers import helpers_spared
from runtime.config.load import Loaded
from runtime.config.variables import GATEWAY_VARIABLES
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.cgroups import ControlGroup, ControlGroups, GroupLimits
from runtime.supervisor.processes.descent import child_above
from runtime.supervisor.processes.process import (
    Pipes,
    SpawnedProcess,
    SpawnError,
    SpawnShortage,
    Spec,
)
from runtime.supervisor.processes.termination import (
    kill_and_reap,
    kill_and_reap_all,
    reap_if_ended,
)
from runtime.zygote.child import MAX_REQUEST_BYTES
from runtime.zygote.client import Zygote, ZygoteStopped, environment, mark
from runtime.zygote.forked import fork, write_bootstrap
from workers.plugin import Media

SWEEP_AFTER = 0.05  # seconds; exits that come together are swept together

SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)

P = ParamSpec("P")
T = TypeVar("T")

RENDERER = "workers.text.markdown"  # what reads Markdown, for channels that have markup
FILES = "workers.media.outgoing"  # with the store, as far as it needs no aiohttp


class Launcher:
    """Starts children. ``zygote`` is one that was started before; ``close`` ends it.

    Must be made in the main thread of a supervisor that is a child subreaper. All spawning
    happens in one thread of its own: it blocks for milliseconds, and PR_SET_PDEATHSIG fires
    when the spawning *thread* ends (prctl(2)), so that thread lives as long as the launcher.
    ``swept`` counts the processes that children left behind.
    """

    def __init__(
        self, *, run_id: str, preload: Sequence[str] = (), zygote: Zygote | None = None
    ) -> None:
        self._run_id = run_id
        known = set() if zygote is None else {zygote.pid}
        self._strangers = os.getpid() == 1 or bool(vitals.own_children() - known)
        self._preload = list(preload)
        self._withheld = GATEWAY_VARIABLES
        self._thread = ThreadPoolExecutor(1, "spawner")
        self._zygote = zygote
        self._ours: set[int] = set()
        self._sweep_due = False
        self._memory = vitals.MemoryKills()
        self._groups: ControlGroups | None = None
        self._limits_by = "polling"
        self.swept = 0

    def start(self) -> None:
        """Start the zygote; returns before it has imported its modules."""
        if self._zygote is None:
            withheld = self._withheld
            self._zygote = zygote = Zygote(self._run_id, withheld)
            if self._withheld is not withheld:  # more was withheld meanwhile, by another thread
                zygote.forget(self._withheld)
        self._send_preload()

    def preload(self, modules: Sequence[str]) -> None:
        """Send the zygote modules to import, such as the SDKs of the channels in use."""
        self._preload = list(modules)
        self._send_preload()

    def withhold(self, names: Iterable[str]) -> None:
        """Keep these environment variables, too, from children whose ``Spec`` does not name them.

        For good: what has been a secret is one when no reference names it any more. A foreign
        program keeps them, for it is the gateway and runs the accounts itself; none of ours may
        run beside it.
        """
        new = frozenset(names) - self._withheld
        if not new:
            return
        self._withheld |= new
        zygote = self._zygote  # the spawner thread may be replacing it
        if zygote is not None:
            zygote.forget(new)

    @property
    def modules(self) -> list[str]:
        """The modules that the zygote imports beside those that all workers share."""
        return self._preload

    @property
    def zygote_pid(self) -> int | None:
        """The process id of the present zygote."""
        return None if self._zygote is None else self._zygote.pid

    @property
    def limits_by(self) -> str:
        """What enforces the limits of accounts, as one phrase for an operator."""
        return self._limits_by

    def use_groups(self, groups: ControlGroups | None, limits_by: str) -> None:
        """Put every child that is spawned from now on into one of ``groups``, if there are any.

        ``limits_by`` is the phrase for an operator.
        """
        self._groups, self._limits_by = groups, limits_by

    def limit(self, name: str, limits: GroupLimits) -> None:
        """Change the limits of a running child's control group, where it has one."""
        if self._groups is not None:
            self._groups.limit(name, limits)

    def starter_of(self, pid: int) -> int | None:
        """Return the child of ours that a process is or descends from; ``None`` if from none.

        What helps the supervisor itself, and where orphans of others come to us those, are not
        ours. Raises ``ProcessLookupError`` where it cannot be known.
        """
        top = child_above(pid)
        if top is None or top in self._ours or top == self.zygote_pid:
            return top
        with helpers_spared() as helpers:
            if top in helpers:
                return None
        if self._strangers and not vitals.is_marked(top, mark(self._run_id)):
            return None
        return top  # left by a child that is gone, and not swept yet

    async def replace(self, modules: Sequence[str]) -> None:
        """Replace the zygote by one that imports ``modules``; children are not touched."""
        self._preload = list(modules)
        await self._in_thread(self._renew)

    async def spawn(self, spec: Spec) -> SpawnedProcess:
        """Start a process; raises ``SpawnError``. A cancelled spawn leaves no process."""
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

    def _reaped(self, pid: int) -> None:
        """Forget a child, and sweep soon what it left behind."""
        self._ours.discard(pid)
        self._sweep_later()

    def reap_strangers(self) -> None:
        """Reap orphans of others too, where they come to us; call it on the running loop.

        They do when we are process 1 of a container, and when a shell has started something
        and then replaced itself by us (``exec``).
        """
        if self._strangers:
            loop = asyncio.get_running_loop()  # uvloop itself takes no handler for this signal
            signal.signal(
                signal.SIGCHLD, lambda number, frame: loop.call_soon_threadsafe(self._sweep_later)
            )
            self._sweep_later()  # those that ended during the start have sent their signal

    def _sweep_later(self) -> None:
        if not self._sweep_due:
            self._sweep_due = True
            loop = asyncio.get_running_loop()
            loop.call_later(SWEEP_AFTER, self._sweep_soon)

    def close(self) -> None:
        """End the zygote, wait for the thread, and sweep once more."""
        if self._strangers:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._thread.shutdown(wait=True)
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None
        self._sweep()
        if self._groups is not None:
            self._groups.close()

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    # From here on everything runs in the spawner thread, ``_sweep_soon`` excepted.

    def _spawn(self, spec: Spec) -> SpawnedProcess:
        try:
            pipes = Pipes()
        except OSError as error:
            raise _why(error) from None
        try:
            env = {**spec.env, "TRUNKLINE_PEER": spec.name, "TRUNKLINE_RUN_ID": self._run_id}
            launch = self._exec if spec.command or spec.launcher == "exec" else self._fork
            pid = launch(spec, env, pipes)
            pidfd = self._pidfd(pid, pipes)
        except OSError as error:
            pipes.close()
            raise _why(error) from None
        except BaseException:
            pipes.close()
            raise
        os.set_blocking(pidfd, True)
        return SpawnedProcess(
            pid,
            pidfd,
            pipes,
            memory=self._memory,
            on_reaped=self._reaped,
            group=self._group(spec, pid),
        )

    def _pidfd(self, pid: int, pipes: Pipes) -> int:
        """Return a handle of a new child; a child that cannot be watched must not run."""
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            pipes.close()  # which makes room for the handle by which it is ended
            kill_and_reap(pid)
            raise
        self._ours.add(pid)
        return pidfd

    def _group(self, spec: Spec, pid: int) -> ControlGroup | None:
        """Move a new child into a control group of its own, where there are groups."""
        if self._groups is None or spec.limits is None:
            return None
        try:
            return self._groups.enter(spec.name, pid, spec.limits)
        except OSError:  # it has died, or its group was taken away: its memory is polled then
            return None

    def _fork(self, spec: Spec, env: dict[str, str], pipes: Pipes) -> int:
        own = {name: os.environ[name] for name in spec.variables if name in os.environ}
        request = {"kind": "spawn", "name": spec.name, "env": own | env, "fds": list(spec.fds)}
        fds = [*pipes.child_ends(), *spec.fds.values()]
        message = json.dumps(request).encode()
        if len(message) > MAX_REQUEST_BYTES:
            raise SpawnError("the variables of its secrets are too long: use source file")

        def ask() -> int:
            pid = self._ask(message, fds)
            pipes.close_theirs()
            return pid

        return fork(spec.target, spec.payload, pipes.boot_writer, ask)

    def _exec(self, spec: Spec, env: dict[str, str], pipes: Pipes) -> int:
        boot, words, stdout, stderr = pipes.child_ends()
        passed = {"boot": boot, "words": words, **spec.fds}
        names = ",".join(f"{name}={fd}" for name, fd in passed.items())
        if spec.command:  # its environment has secrets, and an argument list is for all to see
            path = os.environ.get("PYTHONPATH")  # the user's, not the one that leads to us
            wanted = {"command": spec.command, "env": env, "path": path}
            payload = json.dumps(wanted).encode()
            told = (os.getpid(), names)
            call = f"from runtime.zygote.child import exec_command; exec_command(*{told!r})"
        else:
            payload = spec.payload
            arguments = (os.getpid(), names, json.dumps(env), spec.name, spec.target)
            call = f"from runtime.zygote.child import exec_main; exec_main(*{arguments!r})"
        started = subprocess.Popen(  # noqa: S603 — likewise
            [sys.executable, "-P", "-c", call, mark(self._run_id)],  # -P: nothing from the cwd
            pass_fds=list(passed.values()),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=environment(self._run_id, self._kept_from(spec)),
        )
        started.returncode = 0  # we reap it ourselves, by its pidfd
        pipes.close_theirs()
        write_bootstrap(pipes.boot_writer, payload)
        return started.pid

    def _kept_from(self, spec: Spec) -> frozenset[str]:
        """Return the variables that a child is started without."""
        return frozenset() if spec.command else self._withheld - spec.variables

    def _ask(self, message: bytes, fds: list[int]) -> int:
        """Let the zygote fork; replace it once if it is dead or does not answer."""
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
        """Kill and reap what ended children left behind.

        Every worker is a subreaper itself: its orphans stay its own until it ends, and only
        then become ours. So a child that we did not start belongs to one that is gone, unless
        strangers come to us too: those are reaped when they have ended, and the rest is told
        by the run id in its environment. This runs in the thread that spawns, hence never
        beside a spawn that is half done.
        """
        ours = self._ours | ({self._zygote.pid} if self._zygote else set())
        left = []
        with helpers_spared() as helpers:
            for pid in vitals.children_of(os.getpid()):
                if pid in ours or pid in helpers:
                    continue
                if self._strangers and not vitals.is_marked(pid, mark(self._run_id)):
                    reap_if_ended(pid)
                else:
                    left.append(pid)
            self.swept += kill_and_reap_all(left)


def _why(error: OSError) -> SpawnError:
    kind = SpawnShortage if error.errno in SHORTAGES else SpawnError
    return kind(error.strerror or str(error))


def zygote_modules(loaded: Loaded) -> list[str]:
    """Return the modules to preload: those of the channels that configured accounts use."""
    used = [
        spec
        for spec in loaded.accounts.values()
        if spec.enabled and spec.configured and spec.launcher == "zygote"
    ]
    plugins = {
        reference.partition(":")[0]
        for spec in used
        for reference in (spec.manifest_ref, spec.manifest.plugin)
    }
    renders = any(spec.manifest.text.dialect != "plain" for spec in used)
    files = any(spec.manifest.media != Media() for spec in used)
    return sorted(plugins | ({RENDERER} if renders else set()) | ({FILES} if files else set()))
