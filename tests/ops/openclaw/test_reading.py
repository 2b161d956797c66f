"""Reading a configuration of OpenClaw, with what it includes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode, OperatorError
from ops.openclaw.reading import MAX_INCLUDES, dotenv_beside, merged, read_original


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory / "openclaw.json"


@pytest.mark.parametrize(
    ("files", "values"),
    [
        ({"openclaw.json": "{a: 1, // JSON5\n}"}, {"a": 1}),
        ({"openclaw.json": '{a: {$include: "a.json5"}, b: 2}', "a.json5": "{x: 1}"},
         {"a": {"x": 1}, "b": 2}),
        ({"openclaw.json": '{$include: ["a", "b"], l: [3]}', "a": "{x: 1, l: [1]}",
          "b": "{x: 2, l: [2]}"}, {"x": 2, "l": [1, 2, 3]}),
        ({"openclaw.json": '{a: [{$include: "d/a"}]}', "d/a": '{$include: "b"}', "d/b": "{y: 1}"},
         {"a": [{"y": 1}]}),
        ({"openclaw.json": '{a: {$include: "d/a"}}', "d/a": '{$include: "../b"}', "b": "{y: 1}"},
         {"a": {"y": 1}}),
        ({"openclaw.json": '{a: {$include: "b"}, c: {$include: "b"}}', "b": "{y: 1}"},
         {"a": {"y": 1}, "c": {"y": 1}}),
    ],
)  # fmt: skip
def test_included_files_stand_where_they_are_named(
    tmp_path: Path, files: dict[str, str], values: Any
) -> None:
    assert read_original(write(tmp_path, files)).values == values


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "cannot be read: No such file"),
        ({"openclaw.json": ""}, "the file is empty"),
        ({"openclaw.json": "{a: "}, "is not JSON5"),
        ({"openclaw.json": "[1]"}, "must be one object"),
        ({"openclaw.json": "[" * 100_000}, "nested deeper"),
        ({"openclaw.json": '{$include: "openclaw.json"}'}, "includes itself"),
        ({"openclaw.json": '{$include: "a"}', "a": '{$include: "b"}', "b": '{$include: "a"}'},
         "includes itself"),
        ({"openclaw.json": '{$include: "none.json"}'}, "none.json: cannot be read"),
        ({"openclaw.json": '{$include: "../../outside"}'}, "OPENCLAW_INCLUDE_ROOTS"),
        ({"openclaw.json": '{$include: "/etc/passwd"}'}, "OPENCLAW_INCLUDE_ROOTS"),
        ({"openclaw.json": "{$include: 5}"}, "must be the path of a file"),
        ({"openclaw.json": "{$include: []}"}, "must be the path of a file"),
        ({"openclaw.json": '{$include: "a", b: 1}', "a": "[1]"}, "must be one object"),
        ({"openclaw.json": '{$include: "a\\u0000b"}'}, "names no path"),
        ({"openclaw.json": '{$include: "."}'}, "is not a file"),
        ({"openclaw.json": '{$include: "big"}', "big": " " * (2 << 20) + "{}"}, "larger than"),
        ({"openclaw.json": "x" * (5 << 20)}, "larger than"),
        ({"openclaw.json": '{$include: "f0"}',
          **{f"f{n}": f'{{$include: "f{n + 1}"}}' for n in range(MAX_INCLUDES + 2)}},
         "levels deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, files: dict[str, str], why: str
) -> None:
    with pytest.raises(OperatorError, match=r".") as refused:
        read_original(write(tmp_path, files))
    assert why in str(refused.value)
    assert refused.value.exit == ExitCode.CONFIGURATION
    assert len(str(refused.value).splitlines()) == 1


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_bytes(b"{a: '\xff'}")
    with pytest.raises(OperatorError, match="not UTF-8 text: byte 0xff"):
        read_original(path)


def test_a_link_that_leads_outside_is_refused_and_further_roots_are_allowed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    path = write(tmp_path / "in", {"openclaw.json": '{$include: "link"}'})
    write(outside, {"a": "{x: 1}"})
    (tmp_path / "in" / "link").symlink_to(outside / "a")
    with pytest.raises(OperatorError, match="lies outside"):
        read_original(path)
    assert read_original(path, [outside]).values == {"x": 1}


def test_the_files_are_named_and_the_dotenv_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"openclaw.json": '{$include: "a"}', "a": "{}", ".env": "A=1"})
    assert read_original(path).files == [path, tmp_path / "a"]
    assert dotenv_beside(path) == {"A": "1"}
    assert dotenv_beside(tmp_path / "none" / "openclaw.json") == {}


def test_values_are_merged_field_by_field() -> None:
    assert merged({"a": {"b": 1}, "c": 1}, {"a": {"d": 2}, "c": 2}) == {
        "a": {"b": 1, "d": 2},
        "c": 2,
    }
