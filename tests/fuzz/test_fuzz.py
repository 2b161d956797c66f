"""The short part of the fuzzing, a few seconds in every run; ``bench/fuzz.py`` is the rest."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.campaign import Corpus, run

SECONDS = 8.0


@pytest.mark.timeout(60)
async def test_nothing_that_is_said_harms_the_gateway() -> None:
    start = int.from_bytes(os.urandom(4))
    corpus = Corpus.draw(200, start)
    report = await run(
        corpus, frames=20_000, firsts=1_000, http=2_000, start=start, seconds=SECONDS
    )
    assert not report.tally.faults, f"seed {start}: {report.tally.faults[0]}"
    assert report.tally.frames >= 100
    assert report.tally.first_frames >= 10
    assert report.tally.http >= 10
    assert (report.tasks_left, report.connections_left) == (0, 0), f"seed {start}"
