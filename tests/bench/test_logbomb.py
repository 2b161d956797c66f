"""A worker that prints without end costs the supervisor little, however short its lines are."""

from __future__ import annotations

import pytest

from bench import logbomb
from bench.measuring.processes import may_measure

pytestmark = pytest.mark.e2e


@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_a_bomb_of_short_lines_leaves_the_supervisor_its_core() -> None:
    bomb = await logbomb.measure(2, 100, 1.0)
    # Twice what is promised: on a busy machine both hardware threads of a core share it. Looking
    # at every line would take 90 %.
    assert bomb.cpu_percent < 2 * logbomb.ALLOWED
    assert bomb.read_mb > 0
    assert bomb.kept_lines > 0
    assert bomb.restarts == 0
    assert "2" in logbomb.report([bomb])
