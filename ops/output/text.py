"""Formats figures, times and untrusted text for a terminal."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise

# Control characters, those that reorder text, and those that do not show: a message from a
# stranger must not be able to steer the operator's terminal or disguise a line.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

# JSON escapes the first 32 itself, in texts; between them are its own line breaks.
_UNSAFE_IN_JSON = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", ""))


def clean(text: str) -> str:
    """Return ``text`` on one line, with every character that a terminal would obey escaped."""
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def json_for_terminal(document: str) -> str:
    """Return a JSON document with such characters as JSON's escapes: its values stay the same."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", document)


def duration(seconds: float) -> str:
    """Return a duration as ``5.1 s``, ``3 m 12 s``, ``2 h 5 m``, ``4 d 3 h``."""
    if seconds < 60:
        return f"{max(seconds, 0):.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def age(seconds: float) -> str:
    """Return a duration for a table, in its two largest units: ``5s``, ``3m12s``, ``3d4h``."""
    whole = max(0, int(seconds))
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    for (large, size), (small, part) in pairwise(units):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count}{large}" + (f"{rest // part}{small}" if rest >= part else "")
    return f"{whole}s"


def mebibytes(size_bytes: int | None) -> str:
    """Return a size in MiB, one decimal."""
    return "" if size_bytes is None else f"{size_bytes / 2**20:.1f} MiB"


def clock(at_ms: float) -> str:
    """Return the local time of day of an epoch time in milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def moment(at: float | str) -> str:
    """Return the local date and time of epoch milliseconds, or of an ISO 8601 text.

    A text that is not a time is returned cleaned: it may come from any program's log.
    """
    if not isinstance(at, str):
        return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    try:
        found = datetime.fromisoformat(at).astimezone()
    except (ValueError, OverflowError):  # the last day of the last year, in a zone behind ours
        return clean(at)
    return found.isoformat(" ", "milliseconds")[:23]
