"""Tables and JSON, on a terminal and in a pipe."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ops.output.show import (
    show_fields,
    show_json,
    show_json_line,
    show_table,
    show_yaml,
)


def test_in_a_pipe_columns_are_aligned_and_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "what"), [("a", "x\x1b"), ("longer", None)])
    assert capsys.readouterr().out == "NAME    WHAT\na       x\\x1b\nlonger\n"


def test_on_a_terminal_columns_that_no_row_fills_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ("account", "name", "on", "reason"), [("a", None, "yes", ""), ("b", "", "no", None)]
    show_table(*table)
    assert (
        capsys.readouterr().out
        == "ACCOUNT  NAME  ON   REASON\na              yes\nb              no\n"
    )
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show_table(*table)
    assert capsys.readouterr().out == "ACCOUNT  ON\na        yes\nb        no\n"


def test_fields_are_shown_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [{"id": 1, "tags": ["a", "b"], "on": True}, {"id": 2, "on": False}]
    show_fields(rows, {"key": "id", "tags": "tags", "on": "on"})
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()] == [
        ["KEY", "TAGS", "ON"],
        ["1", "a,", "b", "yes"],
        ["2", "no"],
    ]
    show_fields([], {"key": "id"})
    show_table(("time", "by"), [])
    assert capsys.readouterr().out == "none\nnone\n"


def test_json_is_one_document_or_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": [1]})
    show_json_line({"a": [1]})
    document, line = capsys.readouterr().out.rsplit("\n", 2)[:2]
    assert msgspec.json.decode(document) == {"a": [1]}
    assert "\n" in document
    assert line == '{"a":[1]}'


def test_json_cannot_steer_a_terminal_and_has_the_same_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"text\u202e": ["\x1b[2J", "a\\\u202eb", "\x9b2J", "\x7f", "\u00e9\U0001f44d\r\n"]}
    show_json(value)
    document = capsys.readouterr().out
    show_json_line(value)
    line = capsys.readouterr().out
    assert msgspec.json.decode(document) == msgspec.json.decode(line) == value
    assert not set(document + line) & set("\x1b\u202e\x9b\x7f\r")
    assert "\u00e9\U0001f44d" in line


def test_yaml_says_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": [1, None], "b": "no: [x]"}
    show_yaml(value)
    assert msgspec.yaml.decode(capsys.readouterr().out) == value
