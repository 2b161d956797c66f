"""Holds whether one gateway admits clients and carries out requests, from its start to its end.

Before the first whole report of its supervisor a gateway would show no accounts, so granted
clients wait for it here. Draining and leaving are two steps of the end (``draining``).
"""

from __future__ import annotations

from collections.abc import Callable

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

    def uptime_ms(self) -> int:
        """Return for how many milliseconds the gateway has been up."""
        return int((self._now() - self._began) * 1000)

    @property
    def waiting(self) -> int:
        """How many admissions wait for the first report."""
        return len(self._waiting)

    def wait_for_report(self, admission: WaitingAdmission) -> None:
        """Have ``admission`` proceed after the first whole report of the supervisor."""
        self._waiting.add(admission)

    def wait_no_more(self, admission: WaitingAdmission) -> None:
        """Forget an admission that has been refused."""
        self._waiting.discard(admission)

    def report_arrived(self) -> None:
        """Admit the clients that wait, at the first whole report; later ones change nothing."""
        if not self.informed:
            self.informed = True
            waiting, self._waiting = self._waiting, set()
            for admission in waiting:
                admission.proceed()

    def expect_end(self, *, restarting: bool) -> None:
        """Note whether the end that the supervisor announces is followed by a new start."""
        self.restarting = restarting

    def start_draining(self) -> None:
        """Admit no more clients, and broadcast no more changes."""
        self.draining = True

    def leave(self) -> None:
        """Carry out no more requests."""
        self.leaving = True

    def turn_away_waiting(self) -> None:
        """Refuse the clients that still wait, because the gateway ends."""
        for admission in list(self._waiting):
            admission.turn_away()
