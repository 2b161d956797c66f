"""A change in one place of any JSON5 text changes exactly that place."""

from __future__ import annotations

import copy
from typing import Any

import pyjson5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config.text.json5_edit import add_member, remove_member, render, replace_strings

NAMES = st.text("ab c$\"'\\/{}:,ü\u2028", min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("a'\"\\/*{}[],:\n", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=4)
GAPS: st.SearchStrategy[str] = st.sampled_from(
    ["", " ", "\n", "\n  ", " // x { , \n", " /* } , ' */ ", "\r\n\t"]
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An object, written as oddly as a person can."""

    def write(value: Any) -> str:
        gap = draw(GAPS)
        if isinstance(value, dict):
            inner = ",".join(
                f"{draw(GAPS)}{render(name)}{draw(GAPS)}:{write(each)}{draw(GAPS)}"
                for name, each in value.items()
            )
            trailing = draw(st.booleans())
            comma = "," if value and trailing else ""
            return f"{gap}{{{inner}{comma}{draw(GAPS)}}}"
        if isinstance(value, list):
            return f"{gap}[{','.join(write(each) + draw(GAPS) for each in value)}{draw(GAPS)}]"
        return gap + render(value)

    value: dict[str, Any] = draw(OBJECTS)
    return write(value) + draw(GAPS), value


@given(texts(), VALUES, st.booleans())
def test_put_adds_exactly_one_value(
    written: tuple[str, dict[str, Any]], value: Any, json5: bool
) -> None:
    text, before = written
    assert pyjson5.decode(text) == before
    after = copy.deepcopy(before) | {"new": {"deep": value}}
    assert pyjson5.decode(add_member(text, ["new", "deep"], value, json5=json5)) == after


@given(texts(), st.data())
def test_cut_removes_exactly_one_member(
    written: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    text, before = written
    paths = [[name] for name in before]
    paths += [[n, m] for n, inner in before.items() if isinstance(inner, dict) for m in inner]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    after = copy.deepcopy(before)
    place = after if len(path) == 1 else after[path[0]]
    del place[path[-1]]
    assert pyjson5.decode(remove_member(text, path)) == after


def test_what_stands_between_two_comments_behind_a_member_stays() -> None:
    text = '{"a": {\n"b": 1 /* one */ } /* two */\n}'
    assert pyjson5.decode(remove_member(text, ["a", "b"])) == {"a": {}}
    assert pyjson5.decode(add_member(text, ["a", "c"], 2)) == {"a": {"b": 1, "c": 2}}


@given(texts())
def test_what_was_put_is_cut_again(written: tuple[str, dict[str, Any]]) -> None:
    text, before = written
    assert pyjson5.decode(remove_member(add_member(text, ["new"], 1), ["new"])) == before


@given(VALUES, st.booleans())
def test_what_is_rendered_is_read_as_the_same(value: Any, json5: bool) -> None:
    assert pyjson5.decode(render(value, json5=json5)) == value


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{}", "{\n  k: 1,\n}"),
        ("{\n}", "{\n  k: 1,\n}"),
        ("{ a: 1 }", "{ a: 1,\n  k: 1\n}"),
        ("{\n\ta: 1, // one\n\tb: 2 // two\n}\n", "{\n\ta: 1, // one\n\tb: 2, // two\n\tk: 1\n}\n"),
        ("{\n  a: 1,\n  // end\n}", "{\n  a: 1,\n  k: 1,\n  // end\n}"),
    ],
)
def test_what_is_put_looks_as_if_a_person_had_written_it(text: str, after: str) -> None:
    assert add_member(text, ["k"], 1) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("{\n  k: 1,\n}", "{}"),
        ("{ k: 1 }", "{}"),
        ("{\n  a: 1,\n  k: 1, // about k\n  b: 2\n}", "{\n  a: 1,\n  b: 2\n}"),
        ('{\n  "a": 1,\n  "k": 1\n}', '{\n  "a": 1\n}'),
        ("{\n  // of k\n  k: 1,\n}", "{\n  // of k\n}"),
    ],
)
def test_what_is_left_looks_as_before(text: str, after: str) -> None:
    assert remove_member(text, ["k"]) == after


def test_a_long_object_is_written_on_several_lines() -> None:
    value = {"a": "x" * 40, "b c": "y" * 40}
    assert render(value, "  ") == (f'{{\n    a: "{"x" * 40}",\n    "b c": "{"y" * 40}",\n  }}')
    assert render(value, "  ", json5=False) == (
        f'{{\n    "a": "{"x" * 40}",\n    "b c": "{"y" * 40}"\n  }}'
    )


def test_a_string_is_replaced_between_the_quotes_that_stood_there() -> None:
    text = """{a: 'x', "b": ["y", "z"], /* 'x' */ c: "x"}"""
    changes = {("a",): "it's", ("b", 1): 'say "z"'}
    assert replace_strings(text, changes) == (
        r"""{a: 'it\'s', "b": ["y", "say \"z\""], /* 'x' */ c: "x"}"""
    )
    assert replace_strings(text, {}) == text
