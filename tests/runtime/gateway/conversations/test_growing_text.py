"""A text that comes in pieces."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.conversations.growing_text import MANY_PIECES, GrowingText

STEPS = st.lists(st.one_of(st.text(max_size=3), st.sampled_from(["read", "clear"])), max_size=40)


@given(STEPS)
def test_it_is_what_was_appended(steps: list[str]) -> None:
    growing, expected = GrowingText("so "), "so "
    for step in steps:
        if step == "clear":
            growing.clear()
            expected = ""
        elif step == "read":
            assert growing.text == expected
        else:
            growing.append(step)
            expected += step
        assert growing.length == len(expected)
    assert growing.text == expected


def test_all_readers_have_the_same_object() -> None:
    growing = GrowingText()
    for _ in range(3):
        growing.append("a piece ")
    assert growing.text is growing.text


def test_very_many_pieces_are_kept_in_few() -> None:
    count = 100 * MANY_PIECES
    tracemalloc.start()
    try:
        growing = GrowingText()
        for number in range(count):
            growing.append(f"{number:07} ")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert growing.length == 8 * count
    assert used < 8 * count + 64 * MANY_PIECES + 100_000  # 58 bytes more for each, kept apart
