"""The benchmark of the journal measures, with and without one."""

from __future__ import annotations

import pytest

from bench import journal
from bench.measuring.processes import may_measure

pytestmark = pytest.mark.e2e


@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
@pytest.mark.parametrize("mode", ["on", "off"])
async def test_a_round_is_measured(mode: str) -> None:
    found = [await journal.measure(mode, rate, 0.3) for rate in (0, 200)]
    assert found[0].per_second > found[1].per_second > 0
    assert all(each.p50_ms > 0 and each.fsync_ms > 0 for each in found)
    assert f"| {mode}" in journal.report(found)
