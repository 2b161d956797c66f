"""Ends and reaps what ended children left behind, and never what is being started.

Every worker is a subreaper itself: its orphans stay its own until it ends, and only then become
ours. So a child that we did not start belongs to one that is gone, unless strangers come to us
too: those are reaped when they have ended, and the rest is told by the run id in its environment.
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
    """The children of this supervisor, and the sweeps after those that have ended.

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
        """Have nothing swept meanwhile: there is, or will be, a child whose pid is not known.

        What forks in the thread that spawns does not need this: sweeps run there too.
        """
        with self._lock:
            self._being_forked += 1
        try:
            yield
        finally:
            with self._lock:
                self._being_forked -= 1

    def reaped(self, pid: int) -> None:
        """Forget a child, and sweep soon what it left behind; call it on the running loop."""
        self.ours.discard(pid)
        self.later()

    def reap_strangers(self) -> None:
        """Reap orphans of others too, where they come to us; call it on the running loop.

        They do when we are process 1 of a container, and when a shell has started something
        and then replaced itself by us (``exec``).
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
        """Kill and reap what ended children left behind, in the thread that spawns."""
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
