from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.text.limits import Unit
from workers.text.units import length


@pytest.mark.parametrize(
    ("text", "chars", "utf16", "octets"),
    [
        ("", 0, 0, 0),
        ("abc", 3, 3, 3),
        ("é", 1, 1, 2),
        ("漢", 1, 1, 3),
        ("😀", 1, 2, 4),
        ("a😀é", 3, 4, 7),
        ("\ud800", 1, 1, 3),
    ],
)
def test_each_platform_counts_in_its_unit(text: str, chars: int, utf16: int, octets: int) -> None:
    assert (length(text, "chars"), length(text, "utf16"), length(text, "bytes")) == (
        chars,
        utf16,
        octets,
    )


@given(st.text(), st.text(), st.sampled_from(["chars", "utf16", "bytes"]))
def test_lengths_add_up(first: str, second: str, unit: Unit) -> None:
    assert length(first + second, unit) == length(first, unit) + length(second, unit)
    assert length(first, unit) >= len(first), "no character takes less than one unit"
