"""Read how long a server asks to wait.

Apart from what speaks HTTP, so that who brings a client of his own need not import another.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0  # seconds; what a peer may ask for


def asked_wait(value: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, by a number or a date; else ``None``."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)
