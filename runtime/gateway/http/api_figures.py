"""Counts the requests to the gateway's HTTP API by result, and refusals of any path. Pure."""

from __future__ import annotations

from collections import Counter

import msgspec

OUTCOMES = (
    "answered",
    "refused",  # malformed, too large, unknown
    "unauthorized",
    "forbidden",
    "throttled",
    "failed",  # the run, or the gateway was busy
    "disconnected",  # the client has gone, and its run was ended
    "slow",  # the client did not read, and lost its connection
)

# Of answers that refuse a request, whatever its path.
REFUSALS = (400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 416, 429, 431)


class ApiFigures(msgspec.Struct):
    """The results of requests, and those in progress; ``streams`` counts streamed ones.

    ``refused`` counts refused requests by status, those of other paths too.
    """

    outcomes: Counter[str] = msgspec.field(
        default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0))
    )
    refused: Counter[int] = msgspec.field(
        default_factory=lambda: Counter(dict.fromkeys(REFUSALS, 0))
    )
    in_flight: int = 0
    streams: int = 0

    def figures(self) -> dict[str, object]:
        """Return them for the method ``status``."""
        return {
            "inFlight": self.in_flight,
            "streams": self.streams,
            "ended": dict(self.outcomes),
        }

    def record_answer(self, status: int) -> bool:
        """Count an answer if its status is a refusal; return whether it is one."""
        if not 400 <= status < 500:
            return False
        self.refused[status] += 1
        return True

    def refusals(self) -> dict[str, int]:
        """Return the refused requests by status, as far as there were any."""
        return {str(status): count for status, count in sorted(self.refused.items()) if count}


def outcome_of(status: int, failed: bool = False) -> str:
    """Return the result of a request by its answer's status; ``failed``: its run failed."""
    if failed:
        return "failed"
    match status:
        case 401:
            return "unauthorized"
        case 403:
            return "forbidden"
        case 429:
            return "throttled"
    if status < 400:
        return "answered"
    return "failed" if status >= 500 else "refused"
