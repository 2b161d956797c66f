from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.debounce import AT_MOST, Debounce


def test_a_burst_is_over_after_some_quiet() -> None:
    burst = Debounce(2.0)
    for number in range(20):
        burst.touch(number * 0.05)
    assert burst.due() == 0.95 + 2.0


def test_a_burst_without_end_is_over_at_the_limit() -> None:
    burst = Debounce(2.0)
    for number in range(1000):
        burst.touch(100.0 + number)
    assert burst.due() == 100.0 + AT_MOST


def test_without_a_change_nothing_is_due() -> None:
    burst = Debounce(1.0)
    assert burst.due() is None
    burst.touch(5.0)
    burst.clear()
    assert burst.due() is None


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0, 60))
def test_it_is_never_due_before_the_last_change_but_for_the_limit(
    gaps: list[float], quiet: float
) -> None:
    burst, now, first = Debounce(quiet), 0.0, gaps[0]
    for gap in gaps:
        now += gap
        burst.touch(now)
    due = burst.due()
    assert due is not None
    assert due >= min(now, first + AT_MOST)
    assert due <= first + AT_MOST
