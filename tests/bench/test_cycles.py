"""Crashes and restarts of real processes leave nothing in the supervisor."""

from __future__ import annotations

import dataclasses

import pytest

from bench import cycles
from bench.cycles import ALLOWED_BYTES, Outcome, SupervisorUse
from bench.measuring.processes import may_measure

pytestmark = pytest.mark.e2e


@pytest.mark.slow
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_three_hundred_crashes_leave_no_file_no_process_and_no_memory() -> None:
    outcome = await cycles.run(300)
    assert outcome.faults == []
    assert len(outcome.seen) == 300
    assert outcome.late.processes == 3 + cycles.LANES + cycles.CALM
    assert "300 cycles" in outcome.report()


def test_whatever_is_left_is_a_fault() -> None:
    early = SupervisorUse(30, 100, 50_000_000, 19)
    more = {"fds": 101, "rss_bytes": early.rss_bytes + ALLOWED_BYTES + 1, "processes": 20}
    late = dataclasses.replace(early, cycles=300, **more)
    assert Outcome(early, early, 1.0, [], 0).faults == []
    assert len(Outcome(early, late, 1.0, [], 1).faults) == 4


def test_crashes_that_nobody_saw_have_no_times() -> None:
    use = SupervisorUse(30, 100, 50_000_000, 19)
    assert "p50 none ms, p99 none ms" in Outcome(use, use, 1.0, [], 0).report()
