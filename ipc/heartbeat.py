"""Decides when a silent peer counts as gone: silence, then a question, then the verdict. Pure.

Two steps, because killing what merely was busy is worse than killing late. The second step
is measured from the question, not from the last sign of life: after a suspend of the host, or
a stall of our own, every peer seems silent and each still gets its full grace to answer.
Reads no clock: every method takes the time in seconds.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What ``Pulse.due`` asks its owner to do."""

    ALIVE = "alive"
    ASK = "ask"  # now is the time for one verifying question
    SUSPECT = "suspect"  # asked; the answer is still awaited
    GONE = "gone"


class Pulse:
    """One peer: suspect after ``silence`` seconds, gone ``grace`` seconds after the question."""

    def __init__(self, silence: float, grace: float | None = None, *, now: float = 0.0) -> None:
        self.silence = silence
        self.grace = silence if grace is None else grace
        self.heard = now
        self.asked: float | None = None

    def seen(self, now: float) -> None:
        """Take any frame from the peer as a sign of life."""
        self.heard = now
        self.asked = None

    def due(self, now: float) -> Verdict:
        """Return what is to be done now; ``ASK`` once per silence."""
        if self.asked is not None:
            return Verdict.GONE if now - self.asked >= self.grace else Verdict.SUSPECT
        if now - self.heard < self.silence:
            return Verdict.ALIVE
        self.asked = now
        return Verdict.ASK

    def next(self) -> float:
        """Return the time at which ``due`` will next return something new."""
        return self.heard + self.silence if self.asked is None else self.asked + self.grace
