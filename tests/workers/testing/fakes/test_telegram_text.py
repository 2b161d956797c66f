from __future__ import annotations

import pytest

from workers.testing.fakes.telegram_text import WrongMarkup, shown_text, utf16_length


def test_people_see_no_tags() -> None:
    assert shown_text('<b>a</b> &lt;<a href="x">b</a>', "HTML") == "a <b"
    assert shown_text("<b>a", None) == "<b>a"


@pytest.mark.parametrize(
    "text", ["<b>a", "a</b>", "<b><i>a</b></i>", "<p>a</p>", "<script>", "<br>"]
)
def test_wrong_tags_are_refused(text: str) -> None:
    with pytest.raises(WrongMarkup):
        shown_text(text, "HTML")


def test_other_modes_are_not_served() -> None:
    with pytest.raises(WrongMarkup, match="MarkdownV2"):
        shown_text("a", "MarkdownV2")


def test_an_astral_character_counts_twice() -> None:
    assert utf16_length("a😀") == 3
