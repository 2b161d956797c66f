"""The stream of log lines: cursors, bounds, and what is said when something is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.logs.recent import RecentLog


def filled(*lines: str, keep: int = 1000) -> RecentLog:
    recent = RecentLog(keep_bytes=keep)
    for line in lines:
        recent.add(line)
    return recent


def test_reading_goes_on_where_it_ended() -> None:
    recent = filled("one", "two")
    first = recent.after(0, 10, 1000)
    recent.add("three")
    more = recent.after(first.cursor, 10, 1000)
    assert (first.lines, more.lines) == (["one", "two"], ["three"])
    assert (more.truncated, more.reset, more.skipped_bytes) == (False, False, 0)


def test_the_newest_lines_come_and_what_is_skipped_is_counted() -> None:
    found = filled("one", "two", "three").after(0, 2, 1000)
    assert (found.lines, found.truncated, found.skipped_bytes) == (["two", "three"], True, 4)


def test_no_more_bytes_come_than_are_wanted_and_reading_goes_on() -> None:
    recent = filled("one", "long line")
    found = recent.after(0, 10, 9)
    assert (found.lines, found.truncated, found.skipped_bytes) == ([], True, 14)
    assert recent.after(0, 10, 10).lines == ["long line"]
    recent.add("more")
    assert recent.after(found.cursor, 10, 9).lines == ["more"]


def test_a_cursor_of_another_stream_begins_anew() -> None:
    found = filled("one").after(10_000, 10, 1000)
    assert (found.lines, found.reset) == (["one"], True)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=40), st.integers(1, 60))
def test_what_is_kept_is_the_end_of_what_was_said(lines: list[str], keep: int) -> None:
    recent = filled(*lines, keep=keep)
    found = recent.after(0, 1000, 10_000)
    assert found.lines == lines[len(lines) - len(found.lines) :]
    assert found.size == sum(len(line.encode()) + 1 for line in lines)
    assert found.skipped_bytes == found.size - sum(len(x.encode()) + 1 for x in found.lines)
