"""Which log lines are shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ops.exits import UsageFailure
from ops.output.line_filter import LineFilter

NOW = 1_790_000_000.0


def line(text: str = "hello", ago: float | None = 0.0) -> dict[str, Any]:
    at = None if ago is None else datetime.fromtimestamp(NOW - ago, UTC).isoformat()
    return {"ts": at, "account": "irc:libera", "text": text}


@pytest.mark.parametrize(
    ("since", "ago", "shown"),
    [
        (None, 1e6, True),
        ("90s", 89, True),
        ("90s", 91, False),
        ("1.5m", 89, True),
        ("2h", 7201, False),
        ("3d", 3 * 86400 - 1, True),
        (datetime.fromtimestamp(NOW - 60, UTC).isoformat(), 59, True),
        (datetime.fromtimestamp(NOW - 60, UTC).isoformat(), 61, False),
        ("1s", None, True),
    ],
)
def test_a_line_is_as_old_as_it_says(since: str | None, ago: float | None, shown: bool) -> None:
    assert LineFilter(since, None, NOW).shows(line(ago=ago)) is shown


def test_milliseconds_are_understood_and_anything_else_is_of_any_time() -> None:
    recent = LineFilter("1m", None, NOW)
    assert recent.shows({"ts": (NOW - 59) * 1000})
    assert not recent.shows({"ts": (NOW - 61) * 1000})
    assert recent.shows({"ts": "yesterday"})
    assert recent.shows({"ts": ["x"]})


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [("hel+o", True), ("HELLO", False), ("(?i)HELLO", True), ("irc:libera", True), ("^$", False)],
)
def test_the_pattern_is_found_in_what_is_shown(pattern: str, shown: bool) -> None:
    assert LineFilter(None, pattern, NOW).shows(line()) is shown


def test_what_chooses_nothing_says_so() -> None:
    assert not LineFilter(None, None, NOW).chooses
    assert LineFilter("1s", None, NOW).chooses
    assert LineFilter(None, "x", NOW).chooses


@pytest.mark.parametrize(
    ("since", "pattern", "sentence"),
    [
        ("soon", None, "--since takes an age like 90s"),
        ("5 m", None, "--since takes an age"),
        (None, "(", "is not a regular expression: missing"),
    ],
)
def test_what_is_no_age_or_pattern_is_refused(
    since: str | None, pattern: str | None, sentence: str
) -> None:
    with pytest.raises(UsageFailure, match=sentence):
        LineFilter(since, pattern, NOW)
