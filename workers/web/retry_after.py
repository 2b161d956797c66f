"""Parses the HTTP header ``Retry-After`` (RFC 9110, section 10.2.3), and bounds such waits.

It imports no HTTP client, so that a channel with an SDK of its own does not load a second one.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0  # seconds; what a peer may ask for


def asked_wait(value: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` value asks to wait: a number or a date."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return bounded(float(value[:9]))
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return bounded(wait)


def bounded(wait: float) -> float:
    """Return the seconds to wait where a peer asks for ``wait``, which may be any number."""
    return min(max(0.0, wait), LONGEST_WAIT)
