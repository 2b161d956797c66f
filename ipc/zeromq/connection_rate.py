"""Counts how often each worker connects, and finds those that never stay connected. Pure."""

from __future__ import annotations

from collections import Counter

from ipc.identity.peer import parse_peer

WINDOW_SECONDS = 10.0
# Connections of one worker in a window. A link that is lost, a gateway that is restarted or a
# socket that is bound anew costs each worker one or a few.
MOST = 200


class ConnectionRate:
    """The connections of all workers, by name, in the present window and the one before."""

    def __init__(self) -> None:
        self._since = 0.0
        self._counts: Counter[str] = Counter()
        self._before: dict[str, int] = {}

    def record(self, name: str, now: float) -> None:
        """Count a connection; ``now`` is in seconds."""
        self._roll(now)
        self._counts[name] += 1

    def excessive(self, now: float) -> dict[str, int]:
        """Return the workers that connect too often, with their connections in one window."""
        self._roll(now)
        return self._before | _excessive(self._counts)

    def forget(self, key: str, last: int) -> None:
        """Drop the incarnations of a key up to ``last``, because its account was removed."""
        for counts in (self._counts, self._before):
            for name in list(counts):
                of, incarnation = parse_peer(name.encode())
                if of == key and incarnation <= last:
                    del counts[name]

    def _roll(self, now: float) -> None:
        """Begin another window if the present one is over."""
        if now - self._since < WINDOW_SECONDS:
            return
        recent = now - self._since < 2 * WINDOW_SECONDS
        self._before = _excessive(self._counts) if recent else {}
        self._since = now
        self._counts.clear()


def _excessive(counts: Counter[str]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count > MOST}
