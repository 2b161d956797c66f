"""Whatever must be 0 and is not is a problem, and stands in the report."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bench.soak.report import MUST_BE_NOTHING, Outcome, problems, report
from bench.soak.usage import MIB, Sample, Usage


@pytest.mark.parametrize("name", MUST_BE_NOTHING)
def test_each_count_that_is_not_0_is_a_problem(name: str) -> None:
    outcome = Outcome(1, counts=Counter({name: 3}))
    assert problems(outcome) == [f"3 {MUST_BE_NOTHING[name]}"]


def test_a_report_shows_seed_traffic_faults_growth_and_what_was_wrong() -> None:
    usage = Usage()
    for at in range(0, 600, 60):
        usage.take("supervisor", 5, Sample(at, 50 * MIB, 70))
    outcome = Outcome(
        42,
        minutes=10.0,
        accounts=6,
        faults=Counter({"kill-any": 2}),
        traffic={"person": {"received": 9}, "calls repeated": 0},
        wrong=["12 s, kill-any: it was so"],
        load=[1.0, 2.0, 3.0],
        series=[each.described() for each in usage.series(skip=0, warm_up=0)],
    )
    text = report(outcome)
    for part in ("Seed 42: 6 accounts, 10 minutes, 2 faults", "received 9", "kill-any", "+0.00",
                 "50.0 → 50.0", "it was so"):  # fmt: skip
        assert part in text
    assert problems(outcome) == []
    assert json.loads(json.dumps(outcome.described()))["faults"] == {"kill-any": 2}


def test_a_run_that_was_too_short_says_so() -> None:
    assert "Too short" in report(Outcome(1))
