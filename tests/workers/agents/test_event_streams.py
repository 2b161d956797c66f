from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.agents.answers import BrokenAnswer
from workers.agents.event_streams import EventSplitter, LineSplitter

STREAM = (
    b"\xef\xbb\xbf: hello\r\ndata: one\r\n\r\n"
    b"event: x\nid: 1\ndata:two\ndata: lines\n\n\n\ndata: cut"
)


def fed(splitter: LineSplitter | EventSplitter, data: bytes, size: int) -> list[bytes]:
    return [
        each for at in range(0, len(data), size) for each in splitter.feed(data[at : at + size])
    ]


@given(st.integers(1, len(STREAM)))
def test_events_are_the_same_however_they_come(size: int) -> None:
    assert fed(EventSplitter(), STREAM, size) == [b"one", b"two\nlines"]


@given(st.lists(st.sampled_from([b"a", b"bc", b"", b"\xff"])), st.integers(1, 5))
def test_lines_are_the_same_however_they_come(lines: list[bytes], size: int) -> None:
    splitter = LineSplitter()
    assert fed(splitter, b"".join(line + b"\n" for line in lines) + b"end", size) == lines
    assert splitter.end() == b"end"


def test_a_line_without_an_end_is_bounded() -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 10) == []
    with pytest.raises(BrokenAnswer, match="longer than 10"):
        splitter.feed(b"x")
    with pytest.raises(BrokenAnswer, match="longer than 10"):
        LineSplitter(10).feed(b"x" * 11 + b"\n")


def test_an_event_without_an_end_is_bounded() -> None:
    lines = (b"data: " + b"x" * 1000 + b"\n") * 2000
    with pytest.raises(BrokenAnswer, match="an event is longer"):
        fed(EventSplitter(), lines, 60_000)
