"""Where the values of a JSON5 text stand."""

from __future__ import annotations

import pytest

from runtime.config.text.json5_positions import duplicates, line, lines, scan

TEXT = """{ // { not, this }
  a: 'x}', "b": [ {c: 1}, [2] , ], /* } */ d: -Infinity,
}"""


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (["a"], "'x}'"),
        (["b"], "[ {c: 1}, [2] , ]"),
        (["d"], "-Infinity"),
        ([], TEXT),
    ],
)
def test_a_value_is_found_with_its_end(path: list[str], text: str) -> None:
    node = scan(TEXT).get(*path)
    assert node is not None
    assert TEXT[node.start : node.end] == text


def test_what_is_not_there_is_not_found() -> None:
    assert scan(TEXT).get("e") is None
    assert scan(TEXT).get("a", "b", "c") is None


def test_of_a_key_that_is_given_twice_the_last_counts() -> None:
    text = "{a: 1, a: 2}"
    node = scan(text).get("a")
    assert node is not None
    assert text[node.start : node.end] == "2"


def test_commas_are_known_after_the_last_member_too() -> None:
    assert [TEXT[at] for at in scan(TEXT).commas] == [",", ",", ","]


def test_a_line_is_that_of_its_offset() -> None:
    assert [line("a\nb\n", at) for at in (-1, 0, 1, 2, 4)] == [1, 1, 1, 2, 3]


def test_lines_are_counted_from_one() -> None:
    text = "{\n a: 1,\n b: [\n  2,\n  {c: 3}],\n}"
    assert dict(lines(text, scan(text))) == {"a": 2, "b": 3, "b[0]": 4, "b[1]": 5, "b[1].c": 5}


def test_the_same_key_written_differently_is_the_same_key() -> None:
    text = r"""{a: [{x: 1, 'x': 2}], "a": 3, \u0061: 4}"""
    assert [(path, len(found)) for path, found in duplicates(scan(text))] == [
        ("a[0].x", 2),
        ("a", 3),
    ]
