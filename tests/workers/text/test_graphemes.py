from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from workers.text.graphemes import LONGEST, cut_before, may_cut

WHOLE = {
    "a letter with a mark": "e\u0301",
    "two line ends that are one": "\r\n",
    "a flag": "🇩🇪",
    "a family": "👨\u200d👩\u200d👧",
    "a rainbow flag": "🏳\ufe0f\u200d🌈",
    "a tone of skin": "👍🏽",
    "the flag of Scotland": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "a syllable of jamo": "\u1112\u1161\u11ab",
    "a syllable and its end": "가\u11a8",
    "a keycap": "1\ufe0f\u20e3",
    "Thai with a vowel": "ก\u0e33",
    "a conjunct of Devanagari": "क्ष",
    "a sign that belongs to a number": "\u06001",
    "a voiced kana": "ｶﾞ",
}


@pytest.mark.parametrize("cluster", WHOLE.values(), ids=WHOLE)
def test_what_people_see_as_one_is_not_torn(cluster: str) -> None:
    text = f"a{cluster}b"
    assert not [at for at in range(2, len(text) - 1) if may_cut(text, at)]
    assert may_cut(text, 1)
    assert may_cut(text, len(text) - 1)


def test_two_flags_are_cut_between_them() -> None:
    text = "🇩🇪🇫🇷"
    assert [at for at in range(1, 4) if may_cut(text, at)] == [2]


def test_an_attack_of_marks_is_cut() -> None:
    text = "a" + "\u0301" * 500
    assert cut_before(text, 300, 0) == 300
    assert cut_before(text, LONGEST - 10, 0) == LONGEST - 10, "the floor is none of the places"


def test_it_looks_no_further_back_than_the_floor() -> None:
    assert cut_before("ab" + "\u0301" * 5, 6, 0) == 1
    assert cut_before("ab" + "\u0301" * 5, 6, 1) == 6


WORLD = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Cn"]),
        st.sampled_from(
            "\u0301\u200d\u200c\ufe0f🏽👩👧🌈🇩🇪🇫\u1112\u1161\u11ab가각\u094dकष\u0600\r\n\u0e33"
        ),
    ),
    max_size=30,
)


@given(WORLD)
def test_every_cut_is_one_of_unicode_s_annex_29(text: str) -> None:
    """``regex`` has the property tables; it is somebody else's reading of the annex."""
    boundaries = {found.start() for found in regex.finditer(r"\X", text)}
    ours = {at for at in range(1, len(text)) if may_cut(text, at)}
    assert ours <= boundaries
