"""Reads the time as messages and records carry it."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the time of the host's clock, milliseconds since the epoch."""
    return int(time.time() * 1000)
