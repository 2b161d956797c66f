"""Read the trace context that an HTTP request brings (https://www.w3.org/TR/trace-context/). Pure.

The header is kept as it came, and read where traces are made.
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
    """A span of another program, and whether its trace is recorded."""

    trace: int
    span: int
    sampled: bool


def traceparent(headers: Mapping[str, str]) -> str:
    """Return the trace context of a request, "" where it has none that can be read.

    ``headers`` are found by the name in small letters.
    """
    return kept(headers.get(HEADER))


def kept(value: str | None) -> str:
    """Return what of a ``traceparent`` is kept, "" where it cannot be read."""
    value = (value or "").strip()
    if not value or not re.match(_SHAPE, value):
        return ""
    ends = len(value) == LENGTH or (not value.startswith("00") and value[LENGTH] == "-")
    return value[:LENGTH] if ends else ""


def read_traceparent(text: str) -> TraceContext | None:
    """Return the context that a kept ``traceparent`` stands for."""
    found = re.match(_SHAPE, text) if text else None
    if found is None:
        return None
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & 1))
