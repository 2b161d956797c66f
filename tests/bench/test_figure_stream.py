"""A client that watches busy accounts is sent their figures, and nothing else."""

from __future__ import annotations

import pytest

from bench import figure_stream
from bench.measuring.processes import may_measure

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not may_measure(), reason="reads /proc of ours"),
]


async def test_busy_accounts_cause_no_status_and_few_bytes() -> None:
    found = await figure_stream.measure(3, 2.0, 12.0)
    assert found.frames.keys() <= {"channel.figures", "tick", "presence"}
    assert found.frames["channel.figures"] >= 4
    assert found.bytes_each < 500
    assert "bytes a second" in figure_stream.report(found)
