"""Figures, times and strangers' text."""

from __future__ import annotations

import pytest

from ops.output.text import age, clean, clock, duration, mebibytes, moment


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (5.12, "5.1 s"),
        (59.94, "59.9 s"),
        (192, "3 m 12 s"),
        (7500, "2 h 5 m"),
        (4 * 86400 + 3 * 3600, "4 d 3 h"),
    ],
)
def test_a_duration_has_the_units_a_person_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (5.9, "5s"), (60, "1m"), (192, "3m12s"), (3600, "1h"), (7500, "2h5m"),
     (86400, "1d"), (86459, "1d"), (4 * 86400 + 3 * 3600 + 59, "4d3h"), (800 * 86400, "800d")],
)  # fmt: skip
def test_an_age_has_two_units_at_most(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_what_a_terminal_would_obey_is_made_visible() -> None:
    evil = "\x1b[2Jgone\r\n\x9b31m \u202eabc\u2066"
    assert clean(evil) == "\\x1b[2Jgone\\r\\n\\x9b31m \\u202eabc\\u2066"


@pytest.mark.parametrize("mark", "\u061c\u200b\u200e\u200f\u2028\u2029\u202e\u2069\ufeff")
def test_what_reorders_or_hides_text_is_shown(mark: str) -> None:
    assert clean(f"777{mark}888") == f"777\\u{ord(mark):04x}888"


def test_other_text_is_left_alone() -> None:
    assert clean("Grüße → 世界 🙂") == "Grüße → 世界 🙂"


def test_sizes_and_times_are_formatted() -> None:
    assert mebibytes(None) == ""
    assert mebibytes(7_340_032) == "7.0 MiB"
    assert clock(1_790_000_000_123).endswith(".123")
    assert len(moment(1_790_000_000_123)) == len("2026-09-21 12:00:00")
    assert moment("2026-11-21T02:38:16.123Z").endswith(":16.123")
    assert moment("yester\x1bday") == "yester\\x1bday"
    for beyond in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"):
        assert moment(beyond) == beyond
