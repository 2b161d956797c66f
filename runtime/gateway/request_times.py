"""Counts the requests of clients by their method and by how long they took. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)  # seconds


class RequestTimes:
    """A histogram for each method: how many took up to each of ``BOUNDS``, and longer ones.

    Its last element is the sum of their seconds. Methods without a request have none.
    """

    def __init__(self) -> None:
        self.by_method: dict[str, list[float]] = {}
        self._leaving: defaultdict[str, list[float]] = defaultdict(list)

    @property
    def leaving(self) -> bool:
        """True while answers leave with the end of this turn of the loop."""
        return bool(self._leaving)

    def on_answered(self, method: str, began: float) -> None:
        """Add the start time of a request whose answer is written at the end of this turn."""
        self._leaving[method].append(began)

    def on_sent(self, now: float) -> None:
        """Count the requests whose answers have left: one read of the clock for all of them."""
        for method, began in self._leaving.items():
            if bisect_left(BOUNDS, now - min(began)) == bisect_left(BOUNDS, now - max(began)):
                self.record(method, now - sum(began) / len(began), len(began))
            else:
                for each in began:
                    self.record(method, now - each)
        self._leaving.clear()

    def record(self, method: str, seconds: float, count: int = 1) -> None:
        """Count a request that has been answered, or so many that took the same time together."""
        row = self.by_method.get(method)
        if row is None:
            row = self.by_method[method] = [0] * (len(BOUNDS) + 2)
        row[bisect_left(BOUNDS, seconds)] += count
        row[-1] += seconds * count
