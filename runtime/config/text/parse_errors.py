"""Translates the errors of the JSON5 and TOML libraries for operators. Pure.

A value is never shown, because it may be a secret: only its place, and at most one character.
"""

from __future__ import annotations

import re

import pyjson5

from runtime.config.errors import Problem
from runtime.config.text.json5_positions import line
from runtime.config.text.toml_positions import MAX_NAMES

MAX_DEPTH = MAX_NAMES  # of a configuration: what pyjson5 allows by itself
TOO_LARGE = "a number is too large"
_HALF = r"half of a character: \uD800 to \uDFFF are allowed in pairs alone"
_ESCAPE = r"an escape lacks hexadecimal digits; allowed: \uXXXX"
_NO_STRING_END = "a string has no end"
_JSON5_BARE = "a value is no number, true, false or null; a text stands in quotes"
_JSON5_OPEN = {
    "string": f"{_NO_STRING_END} on the line on which it begins",
    "comment": "a comment has no end, */",
    "object": "an object has no end, }",
    "array": "an array has no end, ]",
}
_TOML_BARE = "a value is no number, date, true or false; a text stands in quotes"
_TOML = {
    "Invalid hex value": _ESCAPE,
    "Escaped character is not a Unicode scalar value": _HALF,
    "Unescaped '\\' in a string": r"a backslash stands alone in a text; write \\, or '…' around it",
    "Illegal character '\\n'": f'{_NO_STRING_END} on its line; allowed over lines: """…"""',
    "Unterminated string": _NO_STRING_END,
    'Expected "\'"': _NO_STRING_END,
    "Expected \"'''\"": _NO_STRING_END,
    "Unclosed inline table": "an inline table has no end, }",
}
_BARE = re.compile(r"[\w.+-]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_LONG = re.compile(r"\d{4301}")  # digits that int() takes no more


def json5_problem(text: str, error: pyjson5.Json5DecoderException) -> Problem:
    """Return why a text is not JSON5, with its line."""
    said = str(error.args[0])
    near = re.search(r"near (\d+)", said)
    place = int(near[1]) - 1 if near else None
    reason = _json5_reason(text, error, said, place)
    return Problem("", f"is not JSON5: {reason}", None if place is None else line(text, place))


def _json5_reason(
    text: str, error: pyjson5.Json5DecoderException, said: str, place: int | None
) -> str:
    named = [repr(chr(int(each, 16))) for each in re.findall(r"U\+([0-9a-fA-F]+)", said)]
    character = f" {named[-1]}" if named else ""
    wanted = re.search(r"Expected b'(\w+)'", said)
    unclosed = re.match(r"Unclosed b'(\w+)'", said)
    if "No JSON data" in said:
        return "the file is empty; the least that is allowed is {}"
    if "nesting" in said:
        return f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(error, pyjson5.Json5ExtraData):
        return f"unexpected text{character} after the end"
    if unclosed and unclosed[1] in _JSON5_OPEN:
        return _JSON5_OPEN[unclosed[1]]
    if unclosed and place is not None:
        return TOO_LARGE if _NUMBER.match(_bare(text, place)) else _JSON5_BARE
    if place is not None and not text[:place].strip():
        return f"must be one object, {{ ... }}, found{character}"
    if "Stray" in said:
        return "a comma stands where a value or the end must be"
    if len(named) == 2 and said.startswith("Expected U+"):
        return _HALF if named[0] == r"'\\'" else _JSON5_BARE  # else in the midst of a word
    if "hexadecimal" in said:
        return _ESCAPE
    if wanted and wanted[1] == "JSON5Value" and place is not None and _bare(text, place):
        return _JSON5_BARE
    if wanted and wanted[1] == "comma" and place is not None and _goes_on(text, place):
        return _JSON5_BARE
    if wanted:
        what = {"JSON5Value": "a value", "IdentifierStart": "a key"}.get(wanted[1], wanted[1])
        return f"expected {what}, found{character}"
    reason = said.replace("b'", "'").split(" near ")[0].removesuffix(" starting")
    return re.sub(r"U\+([0-9a-fA-F]+)", lambda code: repr(chr(int(code[1], 16))), reason)


def toml_problem(text: str, error: ValueError) -> Problem:
    """Return why a text is not TOML, with its line where it is known.

    The error is a ``TOMLDecodeError``, or that of ``int()`` for a number of 5,000 digits.
    """
    said = str(error)
    if "digits" in said:
        found = _LONG.search(text)
        return Problem("", f"is not TOML: {TOO_LARGE}", found and line(text, found.start()))
    place = re.search(r" \(at line (\d+), column (\d+)\)$", said)
    said = said[: place.start()] if place else said.removesuffix(" (at end of document)")
    lines = text.replace("\r\n", "\n").split("\n")
    at = (lines[int(place[1]) - 1] + "\n", int(place[2]) - 1) if place else ("\n", 0)
    return Problem("", f"is not TOML: {_toml_reason(said, *at)}", int(place[1]) if place else None)


def _toml_reason(said: str, written: str, place: int) -> str:
    """Return the reason for what the library has ``said`` of a place in a line."""
    found = written[place : place + 1]
    declared = re.match(r"Cannot declare \((.*?),?\) twice", said)
    if said in _TOML:
        return _TOML[said]
    if declared:
        name = ".".join(re.findall(r"'([^']*)'", declared[1]))
        return f"table {name} is declared twice; each key and table may be given once"
    if "overwrite" in said:
        return f"{said}: each key and table may be given once"
    if said == "Invalid value":
        return _TOML_BARE if _BARE.match(found) else "expected a value"
    if said == "Invalid statement":
        return f"expected a key, found {found!r}"
    if said.startswith("Expected newline"):
        end = f"expected the end of the line, found {found!r}"
        return _TOML_BARE if _goes_on(written, place) else end
    if said == "Unclosed array":
        end = "an array has no end, ], or a comma is missing in it"
        return _TOML_BARE if _goes_on(written, place) else end
    return said


def _bare(text: str, place: int) -> str:
    """Return what stands at a place without quotes, up to the next space or punctuation."""
    end = place
    while _BARE.match(text, end):
        end += 1
    return text[place:end]


def _goes_on(text: str, place: int) -> bool:
    """Return whether a value goes on at a place, where the library takes it to be over."""
    return place > 0 and all(_BARE.match(each) for each in text[place - 1 : place + 1])
