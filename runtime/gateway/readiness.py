"""Holds whether one gateway admits clients and carries out requests, from its start to its end.

Before the first whole report of its supervisor a gateway would show no accounts, so granted
clients wait for it here. Draining and leaving are two steps of the end (``draining``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ipc import timeouts
from runtime.gateway.access.client_view import WaitingAdmission


class Readiness:
    """The stage that a gateway has reached, and the admissions that wait for the first report.

    ``informed`` is true since the supervisor's first whole report; ``draining`` since SIGTERM;
    ``leaving`` once no request is carried out any more. ``restarting`` says whether a
    successor is expected. ``now()`` is the loop's time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.informed = self.draining = self.leaving = False
        self.restarting = True
        self._now = now
        self._began = now()
        self._waiting: set[WaitingAdmission] = set()
        self._reported = asyncio.Event()

    def uptime_ms(self) -> int:
        """Return for how many milliseconds the gateway has been up."""
        return int((self._now() - self._began) * 1000)

    @property
    def waiting(self) -> int:
        """How many admissions wait for the first report."""
        return len(self._waiting)

    def add_waiting(self, admission: WaitingAdmission) -> None:
        """Add an admission that proceeds after the first whole report of the supervisor."""
        self._waiting.add(admission)

    def remove_waiting(self, admission: WaitingAdmission) -> None:
        """Remove an admission that has been refused."""
        self._waiting.discard(admission)

    async def wait_until_informed(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for the first whole report; return whether it is there."""
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(seconds):
                await self._reported.wait()
        return self.informed

    def on_report(self) -> None:
        """Admit the clients that wait, at the first whole report; later ones change nothing."""
        if not self.informed:
            self.informed = True
            self._reported.set()
            waiting, self._waiting = self._waiting, set()
            for admission in waiting:
                admission.proceed()

    def set_restarting(self, *, restarting: bool) -> None:
        """Set whether the announced end is followed by a new start."""
        self.restarting = restarting

    def start_draining(self) -> None:
        """Admit no more clients, and broadcast no more changes."""
        self.draining = True

    def stop_serving(self) -> None:
        """Refuse all requests from now on."""
        self.leaving = True

    def turn_away_waiting(self) -> None:
        """Refuse the clients that still wait, because the gateway ends."""
        for admission in list(self._waiting):
            admission.turn_away()
