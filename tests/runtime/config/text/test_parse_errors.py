"""What is said of texts that are no JSON5 or TOML: a table of odd ones for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.errors import ConfigError
from runtime.config.text.parse import parse

DIGITS = "9" * 5000
SECRET = "hunter2"
TOO_LARGE = "a number is too large"
HALF = r"half of a character: \uD800 to \uDFFF are allowed in pairs alone"
ESCAPE = r"an escape lacks hexadecimal digits; allowed: \uXXXX"
JSON5_BARE = "a value is no number, true, false or null; a text stands in quotes"
TOML_BARE = "a value is no number, date, true or false; a text stands in quotes"
NO_STRING_END = "a string has no end on the line on which it begins"
STRAY = "a comma stands where a value or the end must be"
ARRAY = "an array has no end, ], or a comma is missing in it"


def said_of(name: str, text: str) -> str:
    """Return what is said of a text whose second line is wrong, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        parse(Path(name), text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((each, TOO_LARGE) for each in (DIGITS, f"-{DIGITS}", "1e999", f"1e{DIGITS}")),
        *((each, JSON5_BARE) for each in ("01", "0x", "0xg", "--1", "-x", "1e", "1.2.3", "5s")),
        *((each, JSON5_BARE) for each in ("tru", "True", "nulll", "undefined", "a.b", SECRET)),
        *((each, NO_STRING_END) for each in ("'a", '"a', '"a\nb"')),
        *((each, ESCAPE) for each in (r'"\u12"', r'"\xg"')),
        (r'"\ud800"', HALF),
        ("[1,,2]", STRAY),
        ("1,,", STRAY),
        ("[1 2]", "expected comma, found '2'"),
        ("[1", "expected comma, found '}'"),
        ('"a" "b"', "expected comma, found '\"'"),
        ("`x`", "expected a value, found '`'"),
        ("", "expected a value, found '}'"),
        ("/* x", "a comment has no end, */"),
        ("1 b: 2", "expected comma, found 'b'"),
    ],
)
def test_an_odd_value_of_json5_is_one_clear_sentence(value: str, said: str) -> None:
    found = said_of("c.json5", f"{{\na: {value}}}")
    assert found == f"c.json5:2: is not JSON5: {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "must be one object, { ... }, found 'a'"),
        ("{a: {b: 1}", "an object has no end, }"),
        ("[1", "an array has no end, ]"),
        ("{a = 1}", "expected colon, found '='"),
        ("{1: 2}", "expected a key, found '1'"),
        ("{,}", "expected a key, found ','"),
        ("{}}", "unexpected text '}' after the end"),
    ],
)
def test_an_odd_text_of_json5_is_one_clear_sentence(text: str, said: str) -> None:
    assert said_of("c.json5", text) == f"c.json5:1: is not JSON5: {said}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((each, TOO_LARGE) for each in (DIGITS, f"-{DIGITS}")),
        *((each, TOML_BARE) for each in ("01", "0x", "1__0", "--1", ".5", "5.", "1e", "1.2.3")),
        *((each, TOML_BARE) for each in ("tru", "True", "null", "5s", "[01]", "2026-13-01")),
        (SECRET, TOML_BARE),
        ('"a', 'a string has no end on its line; allowed over lines: """…"""'),
        (r'"\u12"', ESCAPE),
        (r'"\ud800"', HALF),
        (r'"\x"', r"a backslash stands alone in a text; write \\, or '…' around it"),
        ("[1,,2]", "expected a value"),
        ("", "expected a value"),
        ("`x`", "expected a value"),
        ("[1 2]", ARRAY),
        ('"a" "b"', "expected the end of the line, found '\"'"),
        ("1 // x", "expected the end of the line, found '/'"),
        ("1\nb", "Expected '=' after a key in a key/value pair"),
        ("2026-02-30", "Invalid date or datetime"),
    ],
)
def test_an_odd_value_of_toml_is_one_clear_sentence(value: str, said: str) -> None:
    line = 2 + value.count("\n")
    found = said_of("c.toml", f"# first\na = {value}\n")
    assert found.startswith(f"c.toml:{line}: is not TOML: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a = 1}", ":1: is not TOML: expected a key, found '{'"),
        ("\ufeffa = 1", ":1: is not TOML: expected a key, found '\\ufeff'"),
        ("[a.b]\n[a.b]", "table a.b is declared twice; each key and table may be given once"),
        ("a = {b = 1", ": is not TOML: an inline table has no end, }"),
        ("a = 'x", ": is not TOML: a string has no end"),
        ("a = '''x", ": is not TOML: a string has no end"),
        ("a = [1", f": is not TOML: {ARRAY}"),
    ],
)
def test_an_odd_text_of_toml_is_one_clear_sentence(text: str, said: str) -> None:
    assert said_of("c.toml", text).endswith(said)


@pytest.mark.parametrize(("name", "text"), [("c.json5", "{a: %s}"), ("c.toml", "a = %s")])
def test_a_value_is_not_shown(name: str, text: str) -> None:
    """It may be a secret that lacks its quotes."""
    assert SECRET not in said_of(name, text % SECRET)
