"""Decides whether what was made at a time of the host's clock still counts. Pure."""

from __future__ import annotations


def is_fresh(since: float, life: float, now: float) -> bool:
    """Return whether less than ``life`` has passed since a time of the host's clock, or until it.

    A time that lies ahead was read before the clock was set back. What it limits would otherwise
    live until that time has come again.
    """
    return abs(now - since) < life
