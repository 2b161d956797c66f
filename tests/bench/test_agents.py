"""The benchmark of agents measures every kind, and reports it."""

from __future__ import annotations

import pytest

from bench.measuring.processes import may_measure
from bench.questions.agents import KINDS, question
from bench.questions.question import Plan

pytestmark = pytest.mark.e2e


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_an_answer_of_each_kind_is_measured() -> None:
    found = await question.ask(Plan.quick())
    assert list(found["kinds"]) == list(KINDS)
    for kind, rounds in found["kinds"].items():
        for one in rounds:
            assert 0 < one["p50Ms"] <= one["p99Ms"]
            assert all(used > 0 for used in one["cpuUs"].values())
            assert (one["firstMs"] is None) == (kind == "echo")
    assert all(mib > 0 for mib in found["idleMib"].values())
    text = question.report(found)
    assert all(f"| {kind}" in text for kind in KINDS)
