"""How fast we may speak: a token bucket.

Pure: the time is an argument. A server that is sent more than it likes throws the client out
("Excess Flood"), so lines for people wait here; answers to the server do not wait but count.
"""

from __future__ import annotations


class Bucket:
    """Holds up to ``burst`` tokens and gains ``rate`` of them per second."""

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._gain(now)
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True

    def owe(self, now: float) -> None:
        """Take a token in any case; others wait longer for it, at most one burst long."""
        self._gain(now)
        self._tokens = max(self._tokens - 1, -self._burst)

    def wait(self, now: float) -> float:
        """Return the seconds until ``take`` can succeed."""
        self._gain(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def _gain(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
