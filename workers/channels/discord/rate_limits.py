"""Tracks the rate limits of Discord's API by the headers of its responses. Pure.

Requests share buckets, which only the responses name. A request that its bucket has no room for is
not made: ten thousand refused requests in ten minutes get this host's address blocked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

MOST_BUCKETS = 1_000  # remembered at once
MAX_RESET = 24 * 3600.0  # s; more is no figure of Discord


class RateLimits:
    """The rate-limit buckets of one bot. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._names: OrderedDict[str, str] = OrderedDict()  # the bucket of each route
        self._full: OrderedDict[str, float] = OrderedDict()  # until when a bucket has no place
        self._everywhere = 0.0

    def delay(self, route: str, major: str, now: float) -> float:
        """Return the seconds until a request may be made; 0: now.

        ``major`` is the channel or server by which Discord divides the bucket of a ``route``.
        """
        until = self._full.get(self._bucket(route, major), 0.0)
        return max(until, self._everywhere, now) - now

    def on_response(self, route: str, major: str, headers: Mapping[str, str], now: float) -> None:
        """Apply the headers of a response to its bucket."""
        if (name := headers.get("X-RateLimit-Bucket")) is not None:
            self._names[route] = name
            _trim(self._names)
        if headers.get("X-RateLimit-Remaining") != "0":
            return
        after = seconds_of(headers.get("X-RateLimit-Reset-After"))
        if after is not None:
            self._hold(self._bucket(route, major), now + after)

    def on_refused(
        self, route: str, major: str, retry_after: float, now: float, *, everywhere: bool
    ) -> None:
        """Block requests for ``retry_after`` seconds, because one was refused."""
        if everywhere:
            self._everywhere = max(self._everywhere, now + retry_after)
        else:
            self._hold(self._bucket(route, major), now + retry_after)

    def _hold(self, bucket: str, until: float) -> None:
        self._full[bucket] = until
        self._full.move_to_end(bucket)
        _trim(self._full)

    def _bucket(self, route: str, major: str) -> str:
        return f"{self._names.get(route, route)} {major}"


def seconds_of(text: str | None) -> float | None:
    """Parse the seconds in a header; ``None`` if it has none."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_RESET else None


def _trim(known: OrderedDict[str, str] | OrderedDict[str, float]) -> None:
    while len(known) > MOST_BUCKETS:
        known.popitem(last=False)
