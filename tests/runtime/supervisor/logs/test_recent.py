"""The stream of log lines: cursors, bounds, and what is said when something is missing."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from resource import getpagesize

from hypothesis import given
from hypothesis import strategies as st

from runtime.supervisor.logs.recent import RecentLog, line_bytes


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


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=9)


@given(st.lists(TEXT, max_size=40), st.integers(1, 60))
def test_the_last_lines_are_kept(lines: list[str], keep: int) -> None:
    recent = filled(*lines, keep=keep)
    found = recent.after(0, 1000, 10_000)
    assert found.lines == lines[len(lines) - len(found.lines) :]
    assert found.size == sum(map(line_bytes, lines))
    assert found.skipped_bytes == found.size - sum(map(line_bytes, found.lines))
    assert sum(map(line_bytes, found.lines)) <= keep
    older = lines[: len(lines) - len(found.lines)]
    if older:  # the newest that is missing has no room, or what came after it had none
        missing = sum(map(line_bytes, [older[-1], *found.lines]))
        assert missing > keep


@given(st.lists(TEXT, min_size=1, max_size=20), st.integers(1, 60), st.data())
def test_reading_from_anywhere_gives_whole_lines(
    lines: list[str], keep: int, data: st.DataObject
) -> None:
    recent = filled(*lines, keep=keep)
    kept = recent.after(0, 1000, 10_000).lines
    cursor, most = data.draw(st.integers(0, recent.size)), data.draw(st.integers(0, 80))
    limit = data.draw(st.integers(0, 5))
    want: list[str] = []
    begin = recent.size
    for line in reversed(kept):
        begin -= line_bytes(line)
        if begin < cursor or len(want) >= limit or recent.size - begin > most:
            break
        want.insert(0, line)
    assert recent.after(cursor, limit, most).lines == want


def test_short_lines_take_no_more_memory_than_long_ones() -> None:
    tracemalloc.start()
    try:
        recent = RecentLog(keep_bytes=256 * 1024)
        empty = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            recent.add_line("irc:libera", {"n": number, "text": "a short line"})
        grown = tracemalloc.get_traced_memory()[0] - empty
    finally:
        tracemalloc.stop()
    assert grown < 4096


def test_what_no_line_has_reached_takes_no_memory() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()

    before = resident()
    recent = RecentLog(keep_bytes=64 * 1024 * 1024)
    recent.add("one")
    assert recent.after(0, 10, 1000).lines == ["one"]
    assert resident() - before < 8 * 1024 * 1024
