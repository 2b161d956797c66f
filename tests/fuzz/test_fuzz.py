"""The short part of the fuzzing, a few seconds in every run; ``bench/fuzz.py`` is the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from runtime.gateway.clients.method_table import allowed, import_all
from tests.fuzz import grammar
from tests.fuzz.campaign import Corpus, run

SECONDS = 4.0


@pytest.fixture
def broken_method(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A method with a fault that only some params bring to light."""

    def fault(parts: Any, client: Any, params: Any) -> Any:
        return {"rest": 1 // (len(params.text) % 2)}

    name = "system-event"
    monkeypatch.setitem(
        import_all(), name, replace(import_all()[name], function=fault, waits=False)
    )
    allowed.cache_clear()
    yield name
    monkeypatch.undo()
    allowed.cache_clear()


@pytest.mark.timeout(60)
async def test_nothing_that_is_said_harms_the_gateway() -> None:
    start = int.from_bytes(os.urandom(4))
    names = Random(start).sample(grammar.NAMES, 10)  # others in the next run
    corpus = Corpus.draw(100, start, names)
    report = await run(corpus, frames=20_000, firsts=500, http=1_000, start=start, seconds=SECONDS)
    assert not report.tally.faults, f"seed {start}: {report.tally.faults[0]}"
    assert report.tally.frames >= 100
    assert report.tally.first_frames >= 10
    assert report.tally.http >= 10
    assert (report.tasks_left, report.connections_left) == (0, 0), f"seed {start}"


@pytest.mark.timeout(60)
async def test_a_fault_is_found(broken_method: str) -> None:
    corpus = Corpus.draw(100, 1, [broken_method])
    report = await run(corpus, frames=20_000, firsts=0, http=0, start=1)
    assert "ZeroDivisionError" in report.tally.faults[0]
