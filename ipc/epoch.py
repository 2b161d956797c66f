"""Returns the time in the unit of messages and records."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the host's time in milliseconds since the epoch."""
    return int(time.time() * 1000)
