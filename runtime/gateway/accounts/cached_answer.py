"""Caches a large answer as JSON text, until its source changes or it is too old."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

FRESH = 1.0  # seconds after which a text is made anew although nothing has changed


class CachedAnswer:
    """The JSON text of what ``make(protocol)`` returns; ``version()`` grows with every change.

    ``size`` is that of the last text, in bytes.
    """

    def __init__(self, version: Callable[[], int], make: Callable[[int], Any]) -> None:
        self._version = version
        self._make = make
        self.size = 0
        self._kept: dict[int, tuple[int, float, msgspec.Raw]] = {}

    def of(self, protocol: int) -> msgspec.Raw:
        """Return the text for a protocol, at most ``FRESH`` seconds old."""
        kept, now = self._kept.get(protocol), time.monotonic()
        if kept and kept[0] == self._version() and now - kept[1] < FRESH:
            return kept[2]
        text = msgspec.json.encode(self._make(protocol))
        raw, self.size = msgspec.Raw(text), len(text)
        self._kept[protocol] = self._version(), now, raw
        return raw
