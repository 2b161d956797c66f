"""When a client tries to connect again: after which failures, and how long it waits first.

Pure but for the chance in the jitter, which can be given. The numbers are those that outlive a
restart of the gateway (PROTOCOL.md 5).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ipc.errors import ConnectionFailed, RemoteError

STEPS = (0.15, 0.35, 0.75, 1.5)  # seconds
MOST = 30.0  # seconds; the real client's too
JITTER = 0.2  # of a wait that has been doubled, so that clients do not return together
STARTING = (0.1, 2.0)  # seconds; bounds of what a starting gateway may ask for
PASSING = frozenset({1000, 1001, 1005, 1006, 1012, 1013, 503})  # how a restart shows itself


class Backoff:
    """The waits of one client: ``steps``, then doubled up to ``most`` seconds.

    ``failures`` counts those since the last ``reset``.
    """

    def __init__(
        self,
        steps: Sequence[float] = STEPS,
        most: float = MOST,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.failures = 0
        self._steps = steps
        self._most = most
        self._chance = chance

    def reset(self) -> None:
        """Begin anew: a session has worked."""
        self.failures = 0

    def wait(self, error: Exception) -> float:
        """Return how many seconds to wait after this failure.

        What the server asks for counts: as it is while it starts, else as the least.
        """
        own = self._own()
        self.failures += 1
        return max(own, asked(error)) if not starting(error) else asked(error)

    def _own(self) -> float:
        doubled = self.failures - len(self._steps) + 1
        if doubled <= 0:
            return self._steps[self.failures]
        wait = min(self._most, self._steps[-1] * 2.0 ** min(doubled, 32))
        return wait * (1 + JITTER * (2 * self._chance() - 1))


def asked(error: Exception) -> float:
    """Return how many seconds the server wants us to wait; 0 when it does not say."""
    after = error.retry_after_ms if isinstance(error, RemoteError) else None
    seconds = (after or 0) / 1000
    if not starting(error):
        return seconds
    least, most = STARTING
    return min(max(seconds, least), most)


def starting(error: Exception) -> bool:
    """Say whether a refusal only means that the gateway starts, or ends for a restart."""
    if not isinstance(error, RemoteError) or not error.retryable:
        return False
    details = error.details if isinstance(error.details, dict) else {}
    return details.get("reason") in ("startup-sidecars", "gateway-restarting")


def passing(error: Exception) -> bool:
    """Say whether a restart of the gateway explains a failure to connect."""
    if isinstance(error, ConnectionFailed):
        return error.retryable and error.code in PASSING
    return starting(error)


def final(error: Exception) -> bool:
    """Say whether trying again is in vain: a wrong secret, a protocol that is not shared, …"""
    if isinstance(error, RemoteError):
        details = error.details if isinstance(error.details, dict) else {}
        return not error.retryable or str(details.get("code", "")).startswith("AUTH_")
    return isinstance(error, ConnectionFailed) and not error.retryable
