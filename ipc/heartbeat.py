"""Decides when a silent peer counts as gone: after silence and an unanswered ping. Pure.

It has two steps, because killing a peer that is only busy is worse than killing late. The second
step is measured from the ping, not from the last sign of life: after a suspend of the host, or a
stall of this process, every peer seems silent, and each still gets the full time to answer. It
reads no clock: every method takes the time in seconds.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """The result of ``Pulse.due``."""

    ALIVE = "alive"
    ASK = "ask"  # now is the time for one verifying question
    SUSPECT = "suspect"  # asked; the answer is still awaited
    GONE = "gone"


class Pulse:
    """One peer: suspected after ``silence`` seconds, gone ``grace`` seconds after the ping."""

    def __init__(self, silence: float, grace: float | None = None, *, now: float = 0.0) -> None:
        self.silence = silence
        self.grace = silence if grace is None else grace
        self.heard = now
        self.asked: float | None = None

    def on_frame(self, now: float) -> None:
        """Record a sign of life: any frame from the peer is one."""
        self.heard = now
        self.asked = None

    def due(self, now: float) -> Verdict:
        """Return what to do now; ``ASK`` once per silence."""
        if self.asked is not None:
            return Verdict.GONE if now - self.asked >= self.grace else Verdict.SUSPECT
        if now - self.heard < self.silence:
            return Verdict.ALIVE
        self.asked = now
        return Verdict.ASK

    def next_due(self) -> float:
        """Return the time at which the result of ``due`` can next change."""
        return self.heard + self.silence if self.asked is None else self.asked + self.grace
