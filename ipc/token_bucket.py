"""Implements a token bucket, which limits a rate and allows bursts. Pure."""

from __future__ import annotations

ROUNDING = 1e-9  # tokens: what adding small parts of one may miss


class TokenBucket:
    """A bucket of up to ``burst`` tokens that gains ``rate`` per second and begins full.

    ``now`` is in seconds of a monotonic clock.
    """

    def __init__(self, burst: float, rate: float, now: float = 0.0) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._at = now

    def reserve(self, now: float, amount: float = 1) -> bool:
        """Reserve ``amount`` tokens if available; return whether they were."""
        self._refill(now)
        if self._tokens < amount - ROUNDING:
            return False
        self._tokens -= amount
        return True

    def reserve_up_to(self, now: float, amount: int) -> int:
        """Reserve up to ``amount`` whole tokens; return how many."""
        self._refill(now)
        taken = max(0, min(amount, int(self._tokens)))
        self._tokens -= taken
        return taken

    def overdraw(self, now: float) -> None:
        """Reserve a token even if there is none; the debt is limited to one burst."""
        self._refill(now)
        self._tokens = max(self._tokens - 1, -self._burst)

    def delay(self, now: float) -> float:
        """Return the seconds until ``reserve`` can succeed."""
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def full(self, now: float) -> bool:
        """Return whether the bucket is full, like a new one."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
