"""Ends and reaps leftovers of ended children, but nothing that is being started.

Every worker is itself a subreaper: its orphans become ours only when it ends. So a child that we
did not start is a leftover of an ended one, unless we also adopt orphans of other programs: those
are reaped when they have ended, and leftovers are recognized by the run id in their environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from ipc.helpers import helpers_spared
from runtime.supervisor.processes import vitals
from runtime.supervisor.processes.termination import kill_and_reap_all, reap_if_ended

SWEEP_AFTER = 0.05  # seconds; exits that come together are swept together


class Sweep:
    """Tracks the children of this supervisor, and sweeps after those that have ended.

    ``mark`` is what stands in the environment of all that belongs to this run. ``submit`` runs a
    function in the thread that spawns; it raises ``RuntimeError`` when that has ended. ``ours``
    are the pids of the children that were started, ``swept`` counts what they left behind.
    ``strangers``: orphans of others come to us too.
    """

    def __init__(
        self, mark: str, submit: Callable[[Callable[[], None]], object], *, strangers: bool
    ) -> None:
        self.ours: set[int] = set()
        self.swept = 0
        self.strangers = strangers
        self._mark = mark
        self._submit = submit
        self._due = False
        self._being_forked = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def postponed(self) -> Iterator[None]:
        """Suspend sweeps for the block, in which there is a child whose pid is not known yet.

        Forks in the spawner thread do not need this, because sweeps run in the same thread.
        """
        with self._lock:
            self._being_forked += 1
        try:
            yield
        finally:
            with self._lock:
                self._being_forked -= 1

    def on_reaped(self, pid: int) -> None:
        """Remove a child, and sweep its leftovers soon; call it on the running loop."""
        self.ours.discard(pid)
        self.later()

    def reap_strangers(self) -> None:
        """Reap orphans of others too, where they come to us; call it on the running loop.

        We adopt them as process 1 of a container, and if a shell started something and then
        replaced itself by us (``exec``).
        """
        if self.strangers:
            loop = asyncio.get_running_loop()  # uvloop itself takes no handler for this signal
            signal.signal(
                signal.SIGCHLD, lambda number, frame: loop.call_soon_threadsafe(self.later)
            )
            self.later()  # those that ended during the start have sent their signal

    def later(self) -> None:
        """Sweep in a moment; call it on the running loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(SWEEP_AFTER, self._soon)

    def _soon(self) -> None:
        self._due = False
        with self._lock:
            postponed = self._being_forked > 0
        if postponed:
            self.later()
            return
        with contextlib.suppress(RuntimeError):  # closed meanwhile: it sweeps at its end
            self._submit(self.now)

    def now(self) -> None:
        """Kill and reap leftovers of ended children, in the spawner thread."""
        with helpers_spared() as helpers:
            with self._lock:  # what is forked after this is not among the children
                if self._being_forked:
                    return
                children = vitals.children_of(os.getpid())
            left = []
            for pid in children:
                if pid in self.ours or pid in helpers:
                    continue
                if self.strangers and not vitals.is_marked(pid, self._mark):
                    reap_if_ended(pid)
                else:
                    left.append(pid)
            self.swept += kill_and_reap_all(left)
