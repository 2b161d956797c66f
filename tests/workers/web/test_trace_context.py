"""Trace contexts of HTTP requests: what is kept, and what it means."""

from __future__ import annotations

import pytest

from workers.web.trace_context import TraceContext, kept, read_traceparent, traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (GOOD, GOOD),
        (f" {GOOD} ", GOOD),
        (f"cc-{TRACE}-{SPAN}-00-what-comes-later", f"cc-{TRACE}-{SPAN}-00"),
        (f"{GOOD}-more", ""),  # version 00 ends there
        (f"cc-{TRACE}-{SPAN}-00.what", ""),
        (f"ff-{TRACE}-{SPAN}-01", ""),
        (f"00-{'0' * 32}-{SPAN}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (GOOD.upper(), ""),
        (GOOD[:-1], ""),
        ("nonsense", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_only_a_context_that_can_be_read_is_kept(given: str | None, found: str) -> None:
    assert kept(given) == found
    assert traceparent({} if given is None else {"traceparent": given}) == found


def test_a_kept_context_names_a_span_and_whether_its_trace_is_recorded() -> None:
    trace, span = int(TRACE, 16), int(SPAN, 16)
    assert read_traceparent(GOOD) == TraceContext(trace, span, True)
    assert read_traceparent(f"00-{TRACE}-{SPAN}-02") == TraceContext(trace, span, False)
    assert read_traceparent("") is read_traceparent("nonsense") is None
