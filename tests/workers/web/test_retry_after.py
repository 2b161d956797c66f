from __future__ import annotations

import pytest

from workers.web.retry_after import asked_wait, bounded


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("99999999999999", 86_400.0),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2999 00:00:00 GMT", 86_400.0),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_asked_for_by_a_number_or_a_date(
    value: str | None, seconds: float | None
) -> None:
    assert asked_wait(value) == seconds


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [(7.5, 7.5), (-1.0, 0.0), (1e300, 86_400.0), (float("inf"), 86_400.0), (float("nan"), 0.0)],
)
def test_a_wait_is_bounded(wait: float, seconds: float) -> None:
    assert bounded(wait) == seconds
