"""Counts the requests of clients by their method and by how long they took. Pure."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)  # seconds


class RequestTimes:
    """A histogram for each method: how many took up to each of ``BOUNDS``, and longer ones.

    Its last element is the sum of their seconds. Methods without a request have none.
    """

    def __init__(self) -> None:
        self.by_method: dict[str, list[float]] = {}

    def note(self, method: str, seconds: float, count: int = 1) -> None:
        """Count a request that has been answered, or so many that took the same time together."""
        row = self.by_method.get(method)
        if row is None:
            row = self.by_method[method] = [0] * (len(BOUNDS) + 2)
        row[bisect_left(BOUNDS, seconds)] += count
        row[-1] += seconds * count
