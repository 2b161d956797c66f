"""Merge patches of values and of texts: RFC 7396, comments kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.text.merge_patch import difference, merged, merged_text

# From RFC 7396, appendix A: what was there, the patch, what is there then.
RFC = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("before", "patch", "after"), RFC)
def test_values_are_merged_as_the_standard_has_it(before: Any, patch: Any, after: Any) -> None:
    assert merged(before, patch) == after


@pytest.mark.parametrize(
    ("name", "text", "after"),
    [
        (
            "x.json5",
            "{ // top\n  a: { b: 1, /* of b */ c: 2 }, // of a\n  d: 3,\n}",
            "{ // top\n  a: { b: 9, /* of b */ c: 2 }, // of a\n  e: { f: true },\n}",
        ),
        (
            "x.toml",
            "# top\nd = 3\n[a]\nb = 1 # of b\nc = 2\n",
            "# top\n[a]\nb = 9 # of b\nc = 2\n\n[e]\nf = true\n",
        ),
    ],
)
def test_what_the_patch_does_not_name_stays_as_written(name: str, text: str, after: str) -> None:
    patch = {"a": {"b": 9}, "d": None, "e": {"f": True}, "none": None}
    assert merged_text(Path(name), text, patch) == after


NAMES = st.sampled_from(["a", "b", "c-d", "é"])
PLAIN: st.SearchStrategy[Any] = st.one_of(
    st.integers(-9, 9), st.text(max_size=3), st.booleans(), st.lists(st.integers(0, 3), max_size=2)
)
OBJECTS: st.SearchStrategy[Any] = st.recursive(
    PLAIN, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
PATCHES: st.SearchStrategy[Any] = st.recursive(
    PLAIN | st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(
    st.dictionaries(NAMES, OBJECTS, max_size=4),
    st.dictionaries(NAMES, PATCHES, max_size=4),
    st.sampled_from([None, 1]),
)
def test_a_patched_text_says_what_the_patched_values_say(
    values: Any, patch: Any, indent: int | None
) -> None:
    """Over random objects and patches, on one line and on many."""
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    after = merged_text(Path("x.json"), text, patch)
    assert json.loads(after) == merged(values, patch)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "b": 2}, {"a": 1, "c": [3]}, {"b": None, "c": [3]}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"y": 3}}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": None}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": None}, None),  # null removes
        ({}, {"a": {"x": None}}, None),
    ],
)
def test_the_difference_is_the_patch_that_makes_it(before: Any, after: Any, patch: Any) -> None:
    assert difference(before, after) == patch
