"""A file of 50 MB is never in memory: the worker and the gateway take 30 MiB more at most."""

from __future__ import annotations

import pytest

from bench import media
from bench.measuring.processes import may_measure

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not may_measure(), reason="reads /proc of ours")]

MOST_MIB = 30.0


@pytest.mark.parametrize("channel", ["telegram", pytest.param("slack", marks=pytest.mark.slow)])
async def test_a_large_file_goes_through_in_pieces(channel: str) -> None:
    steps = await media.measure(50_000_000, 1, channel)
    assert [each.name for each in steps] == ["down and up", "up", "received", "served"]
    assert {each.name: each.worker_mib for each in steps if each.worker_mib > MOST_MIB} == {}
    assert {each.name: each.gateway_mib for each in steps if each.gateway_mib > MOST_MIB} == {}
    assert "| served " in media.report(steps)
