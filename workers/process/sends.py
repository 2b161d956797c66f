"""Each key is sent once: only the worker knows what was really sent, so the worker remembers."""

from __future__ import annotations

from collections.abc import Callable

from ipc.idempotency import KEEP, MAX_KEYS, Once
from workers.errors import SendFailed


class Sends(Once):
    """Results of sends by key. ``now`` is a monotonic clock in seconds."""

    def __init__(
        self, now: Callable[[], float], *, max_keys: int = MAX_KEYS, keep: float = KEEP
    ) -> None:
        super().__init__(now, _stopping, max_keys=max_keys, keep=keep)


def _stopping() -> SendFailed:
    return SendFailed("the account is stopping", retryable=True)
