"""Repeated lines are folded, and every one of them is accounted for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.logs.folding import Folding


def test_a_repetition_is_told_when_another_line_comes() -> None:
    folding = Folding()
    assert [folding.fold(line, 0.0) for line in (b"a", b"a", b"a", b"b", b"b")] == [
        (0, True),
        (0, False),
        (0, False),
        (2, True),
        (0, False),
    ]
    assert folding.repeats == 1


@pytest.mark.parametrize(("now", "told"), [(9.9, (0, False)), (10.0, (2, False))])
def test_a_repetition_that_lasts_is_told_now_and_then(now: float, told: tuple[int, bool]) -> None:
    folding, began = Folding(), 1000.0
    folding.fold(b"a", began)
    assert folding.fold(b"a", began + 5.0) == (0, False)
    assert folding.fold(b"a", began + now) == told


@pytest.mark.parametrize(("now", "told"), [(64.9, (2, False)), (65.0, (1, True))])
def test_a_line_that_comes_back_after_a_while_is_news(now: float, told: tuple[int, bool]) -> None:
    folding = Folding()
    folding.fold(b"a", 0.0)
    folding.fold(b"a", 5.0)
    assert folding.fold(b"a", now) == told


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.floats(0, 30)), max_size=50))
def test_kept_and_told_lines_are_all_lines(history: list[tuple[bytes, float]]) -> None:
    folding, now, seen = Folding(), 0.0, 0
    for line, gap in history:
        now += gap
        told, kept = folding.fold(line, now)
        seen += told + kept
    assert seen + folding.repeats == len(history)
