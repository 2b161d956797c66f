"""What the console costs a browser can be measured, and is little."""

from __future__ import annotations

import pytest

from bench import console
from bench.measuring.processes import may_measure
from tests.support.console import needs_browser

pytestmark = [
    needs_browser,
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not may_measure(), reason="reads /proc of ours"),
]


async def test_the_page_is_light_and_its_stream_is_thin() -> None:
    found = await console.measure(3, 6.0, 1)
    (cold,), (warm,) = found.cold, found.warm
    assert 20_000 < cold.bytes <= 60 * 1024
    assert warm.bytes < cold.bytes / 2
    assert cold.first_ms > 0
    fleet, messages = found.stays
    assert 0 < fleet.tab < fleet.browser
    assert fleet.bytes_each < messages.bytes_each
    assert "over the wire" in console.report(found)
