"""Limits guesses of secrets per address. Pure: the caller has the clock.

Ten failures within a minute lock a remote address for five minutes. Loopback is never locked out;
there each failure delays its answer twice as long as the one before. A right secret does not reset
the failures before it: else a program that signs in every second would hide another one that
guesses.

Delayed answers do not slow an attacker who guesses on many connections and waits for no answer. So
only a few attempts of one address are in flight, and while it has failed lately the right secret is
answered late, too: silence does not yet prove a guess wrong, so each guess costs that delay.
"""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

FIRST_DELAY = 0.25
LONGEST_DELAY = 5.0
LATELY = 10.0  # seconds after a failure in which a right secret is answered late
SUCCESS_DELAY = 0.25  # seconds, for that
IN_FLIGHT = 8  # attempts of one address
MAX_ADDRESSES = 10_000
SHARED, DEVICE = "shared-secret", "device-token"  # counted separately


def key(kind: str, address: str) -> str:
    """Return the key that counts failures of one kind from one address."""
    return f"{kind} {address}"


class _Record(msgspec.Struct):
    failures: list[float] = msgspec.field(default_factory=list)
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

    def record_failure(self, address: str, loopback: bool, now: float) -> float:
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

    def success_delay(self, address: str, now: float) -> float:
        """Return the seconds by which to delay the answer to a right secret."""
        record = self._records.get(address)
        if record is None or not record.failures or now - record.failures[-1] >= LATELY:
            return 0.0
        return SUCCESS_DELAY

    def forget(self, address: str) -> None:
        """Reset the failures of an address, and end its lockout."""
        self._records.pop(address, None)

    def _prune(self, now: float) -> None:
        for address, record in list(self._records.items()):
            recent = record.failures and now - record.failures[-1] < self._window
            if record.locked_until < now and not recent:
                del self._records[address]
        if len(self._records) >= MAX_ADDRESSES:
            self._records.pop(next(iter(self._records)))


class _Queue(msgspec.Struct):
    in_flight: set[Hashable] = msgspec.field(default_factory=set)
    waiting: dict[Hashable, None] = msgspec.field(default_factory=dict)  # first come, first


class Attempts:
    """Keeps few attempts of each address in flight; the others wait for their turn."""

    def __init__(self, limit: int = IN_FLIGHT) -> None:
        self._limit = limit
        self._queues: dict[str, _Queue] = {}

    def begin(self, address: str, attempt: Hashable) -> bool:
        """Return whether ``attempt`` is in flight now; else it waits until ``end`` returns it."""
        queue = self._queues.setdefault(address, _Queue())
        if len(queue.in_flight) < self._limit:
            queue.in_flight.add(attempt)
            return True
        queue.waiting[attempt] = None
        return False

    def end(self, address: str, attempt: Hashable) -> Hashable | None:
        """End an attempt, or its waiting; return the one that is in flight instead, if any.

        Ending twice does nothing.
        """
        queue = self._queues.get(address)
        if queue is None:
            return None
        queue.waiting.pop(attempt, None)
        if attempt not in queue.in_flight:
            return None
        queue.in_flight.discard(attempt)
        if queue.waiting:
            following = next(iter(queue.waiting))
            del queue.waiting[following]
            queue.in_flight.add(following)
            return following
        if not queue.in_flight:
            del self._queues[address]
        return None
