"""Reads the W3C trace context of an HTTP request (https://www.w3.org/TR/trace-context/). Pure.

The header is stored as it came, and parsed where traces are made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

HEADER = "traceparent"
LENGTH = 55  # of what every version begins with

# Compiled by its first use: few accounts ever see one.
_SHAPE = r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"


class TraceContext(NamedTuple):
    """The trace and span of the calling program, and whether the trace is sampled."""

    trace: int
    span: int
    sampled: bool


def traceparent(headers: Mapping[str, str]) -> str:
    """Return the ``traceparent`` of a request to store; "" if it has none that is valid.

    The names in ``headers`` are in lower case.
    """
    return kept(headers.get(HEADER))


def kept(value: str | None) -> str:
    """Return the part of a ``traceparent`` that is stored; "" if it is not valid."""
    value = (value or "").strip()
    if not value or not re.match(_SHAPE, value):
        return ""
    ends = len(value) == LENGTH or (not value.startswith("00") and value[LENGTH] == "-")
    return value[:LENGTH] if ends else ""


def read_traceparent(text: str) -> TraceContext | None:
    """Parse a stored ``traceparent``; return ``None`` if it is not valid."""
    found = re.match(_SHAPE, text) if text else None
    if found is None:
        return None
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & 1))
