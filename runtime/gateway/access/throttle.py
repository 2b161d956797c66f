"""Limits guesses of secrets per address. Pure: the caller has the clock.

Ten failures within a minute lock a remote address for five minutes. Loopback is never locked
out; there each failure delays its answer twice as long as the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_DELAY = 0.25
LONGEST_DELAY = 5.0
MAX_ADDRESSES = 10_000
SHARED, DEVICE = "shared-secret", "device-token"  # counted separately


def key(kind: str, address: str) -> str:
    """Return the key that counts failures of one kind from one address."""
    return f"{kind} {address}"


@dataclass(slots=True)
class _Record:
    failures: list[float] = field(default_factory=list)
    locked_until: float = 0.0


class Throttle:
    """Counts failures per address. All times are seconds of one monotonic clock."""

    def __init__(
        self,
        *,
        attempts: int = 10,
        window: float = 60.0,
        lockout: float = 300.0,
        exempt_loopback: bool = True,
    ) -> None:
        self._attempts = attempts
        self._window = window
        self._lockout = lockout
        self._exempt = exempt_loopback
        self._records: dict[str, _Record] = {}

    def locked(self, address: str, loopback: bool, now: float) -> float:
        """Return the seconds for which ``address`` is still locked out; 0 when it is not."""
        record = self._records.get(address)
        if record is None or (loopback and self._exempt):
            return 0.0
        return max(0.0, record.locked_until - now)

    def failed(self, address: str, loopback: bool, now: float) -> float:
        """Count a failure; return the seconds by which to delay its answer."""
        if address not in self._records and len(self._records) >= MAX_ADDRESSES:
            self._prune(now)
        record = self._records.setdefault(address, _Record())
        record.failures = [at for at in record.failures if now - at < self._window][-99:]
        record.failures.append(now)
        count = len(record.failures)
        if loopback and self._exempt:
            return min(FIRST_DELAY * 2.0 ** (count - 1), LONGEST_DELAY)
        if count >= self._attempts:
            record.locked_until = now + self._lockout
            record.failures.clear()
        return 0.0

    def succeeded(self, address: str) -> None:
        """Forget the failures of ``address``."""
        self._records.pop(address, None)

    def _prune(self, now: float) -> None:
        for address, record in list(self._records.items()):
            recent = record.failures and now - record.failures[-1] < self._window
            if record.locked_until < now and not recent:
                del self._records[address]
        if len(self._records) >= MAX_ADDRESSES:
            self._records.pop(next(iter(self._records)))
