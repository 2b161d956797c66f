"""Limits how many log records of one kind are written, and counts the others.

A peer can cause records without end (malformed frames, refused hellos, failed handshakes), and they
would displace everything else in the log. As for the output of children, records are folded
without a timer: the next record that is written carries the counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any

from ipc.token_bucket import TokenBucket

BURST = 50  # records of one kind at once
PER_SECOND = 0.2  # and then: one every 5 s shows that it goes on, and is 5 MB a day
KINDS = 500  # that are told apart; all others share one allowance
OTHERS = ("other records",)


class RecordLimit:
    """Decides which records of each kind are written; a kind begins with the event's text."""

    def __init__(self, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._allowance = burst, per_second
        self._kinds: dict[tuple[Hashable, ...], TokenBucket] = {}
        self._hidden: dict[str, int] = {}

    def allows(self, kind: tuple[Hashable, ...], now: float) -> bool:
        """Count a record of this kind at ``now`` (monotonic); return whether to write it."""
        if kind not in self._kinds and len(self._kinds) >= KINDS:
            kind = OTHERS
        bucket = self._kinds.get(kind)
        if bucket is None:
            bucket = self._kinds[kind] = TokenBucket(*self._allowance, now)
        if bucket.reserve(now):
            return True
        event = str(kind[0])
        self._hidden[event] = self._hidden.get(event, 0) + 1
        return False

    def pop_hidden(self) -> dict[str, int]:
        """Return and clear the counts of suppressed records by event."""
        hidden, self._hidden = self._hidden, {}
        return hidden


def limiter(
    drop: type[BaseException], clock: Callable[[], float] = time.monotonic
) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    """Return a structlog processor that raises ``drop`` for a record beyond its allowance.

    A written record has the counts of suppressed ones, by event, in ``suppressed``.
    """
    limit = RecordLimit()

    def process(
        logger: Any, method: str, record: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        kind = (record.get("event"), method, record.get("account"))
        if not limit.allows(tuple(map(str, kind)), clock()):
            raise drop
        if hidden := limit.pop_hidden():
            record["suppressed"] = hidden
        return record

    return process
