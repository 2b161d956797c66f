"""The words of what a channel can do are of one kind each; its files are checked."""

from __future__ import annotations

from itertools import combinations

import pytest

from workers.media.abilities import METHODS, PARTS, SERVED, Media


def test_each_word_is_of_one_kind() -> None:
    assert all(not one & other for one, other in combinations((METHODS, PARTS, SERVED), 2))


def test_media_are_of_known_kinds_and_sizes() -> None:
    assert Media(send=frozenset({"image", "file"}), max_up=50).max_up == 50
    with pytest.raises(ValueError, match="hologram is none of image"):
        Media(send=frozenset({"image", "hologram"}))
    with pytest.raises(ValueError, match="0 or more bytes"):
        Media(max_down=-1)
