"""Decides how long a client waits before it reconnects, and whether reconnecting can help. Pure.

The delays are chosen so that a client survives a restart of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ipc.errors import ConnectionFailed, RemoteError

JITTER = 0.2  # of a wait that has been doubled, so that clients do not return together
STARTING = (0.1, 2.0)  # seconds; bounds of what a starting gateway may ask for
PASSING = frozenset({1000, 1001, 1005, 1006, 1012, 1013, 503})  # how a restart shows itself


class RetryPolicy(msgspec.Struct, frozen=True):
    """The waits of one kind of client, in seconds: ``steps``, then doubled up to ``most``.

    A delay asked by a starting server replaces the own one; asked by any other it is the
    minimum. With ``starting``, own waits for that time, a server's delays are ignored.
    """

    steps: tuple[float, ...] = (0.15, 0.35, 0.75, 1.5)
    most: float = 30.0  # the real client's too
    jitter: float = JITTER
    starting: tuple[float, ...] | None = None


CLIENT_POLICY = RetryPolicy()


class Backoff:
    """Counts the failures of one client and returns its waits.

    ``chance`` returns a random number from 0 to 1. ``failures`` counts those since the last
    ``reset``.
    """

    def __init__(self, policy: RetryPolicy, chance: Callable[[], float]) -> None:
        self.failures = 0
        self._policy = policy
        self._chance = chance

    def reset(self) -> None:
        """Reset the number of failures, after a working session."""
        self.failures = 0

    def wait(self, error: Exception) -> float:
        """Count this failure and return how many seconds to wait after it."""
        earlier, starts = self.failures, self._policy.starting
        self.failures += 1
        if not is_starting(error):
            own = self._own(earlier)
            return own if starts is not None else max(own, asked_wait(error))
        return asked_wait(error) if starts is None else starts[min(earlier, len(starts) - 1)]

    def _own(self, earlier: int) -> float:
        policy = self._policy
        doubled = earlier - len(policy.steps) + 1
        if doubled <= 0:
            return policy.steps[earlier]
        wait = min(policy.most, policy.steps[-1] * 2.0 ** min(doubled, 32))
        return wait * (1 + policy.jitter * (2 * self._chance() - 1))


def asked_wait(error: Exception) -> float:
    """Return the seconds that the server asks the client to wait; 0 if it does not."""
    after = error.retry_after_ms if isinstance(error, RemoteError) else None
    seconds = (after or 0) / 1000
    if not is_starting(error):
        return seconds
    least, most = STARTING
    return min(max(seconds, least), most)


def is_starting(error: Exception) -> bool:
    """Return whether a refusal means that the gateway is starting, or ending for a restart."""
    if not isinstance(error, RemoteError) or not error.retryable:
        return False
    details = error.details if isinstance(error.details, dict) else {}
    return details.get("reason") in ("startup-sidecars", "gateway-restarting")


def is_transient(error: Exception) -> bool:
    """Return whether a failure to connect may be caused by a restart of the gateway."""
    if isinstance(error, ConnectionFailed):
        return error.retryable and error.code in PASSING
    return is_starting(error)


def is_final(error: Exception) -> bool:
    """Return whether trying again cannot help: a wrong secret, a protocol that is not shared, …"""
    if isinstance(error, RemoteError):
        details = error.details if isinstance(error.details, dict) else {}
        return not error.retryable or str(details.get("code", "")).startswith("AUTH_")
    return isinstance(error, ConnectionFailed) and not error.retryable
