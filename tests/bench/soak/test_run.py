"""A short soak ends with nothing wrong; one that kills what must not be hit notices it."""

from __future__ import annotations

import dataclasses

import pytest

from bench.measuring.processes import may_measure
from bench.soak.faults import CATALOGUE
from bench.soak.report import Outcome, problems
from bench.soak.rig import SoakRig, soak_rig
from bench.soak.run import Soak, soak


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_a_short_soak_finds_nothing_wrong() -> None:
    outcome = await soak(6, 0.5, seed=1)
    assert (problems(outcome), outcome.wrong) == ([], [])
    assert outcome.traffic["person"]["received"] > 50
    assert outcome.traffic["sends"]["sent"] > 0
    assert outcome.faults.total() >= 3


@pytest.mark.e2e
@pytest.mark.timeout(120)
@pytest.mark.skipif(not may_measure(), reason="our processes hide from their own user")
async def test_a_restart_of_an_account_that_was_not_hit_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def secretly(rig: SoakRig) -> None:
        await CATALOGUE["restarted"].inject(rig)
        rig.hit.clear()

    outcome = Outcome(1)
    async with soak_rig(6, seed=1) as rig:
        run = Soak(rig, 60.0, outcome)
        await run.inject([dataclasses.replace(CATALOGUE["restarted"], inject=secretly)])
        await run.conclude()
    assert problems(outcome) == ["1 restarts of accounts that were not hit"]
