"""Parses a configuration's text, JSON5 or TOML, into plain values. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyjson5

from ipc.nesting import is_shallow_value
from runtime.config.errors import ConfigError, Problem, config_error
from runtime.config.text.json5_positions import duplicates, line, lines, scan
from runtime.config.text.parse_errors import MAX_DEPTH, TOO_LARGE, json5_problem, toml_problem
from runtime.config.text.toml_positions import toml_lines

# What may hold dots, and no names: strings and comments. None of it begins after a backslash.
_QUOTED = re.compile(
    r"""(?<!\\)(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'|\#[^\n]*+)""",
    re.DOTALL,
)
_DEEP_NAME = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MAX_DEPTH}}}")
TOML_TOO_DEEP = f"is not TOML: nested deeper than {MAX_DEPTH} levels"


def parse(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the values and, as far as it can be determined, the line of each path.

    The suffix of ``path`` decides the language; nothing is read from it. Raises ``ConfigError``
    for what is no JSON5 or TOML, and for keys that are given twice.
    """
    if path.suffix != ".toml":
        return _json5(path, text)
    values = _toml(path, text)
    return values, toml_lines(text, values)


def _toml(path: Path, text: str) -> dict[str, Any]:
    # Before it is parsed: that takes time with the square of how many parts a dotted name has.
    if deep := _DEEP_NAME.search(_QUOTED.sub(_without_text, text)):
        at = deep.string.count("\n", 0, deep.start()) + 1
        raise ConfigError(str(path), [Problem("", TOML_TOO_DEEP, at)])
    try:
        values = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(str(path), [toml_problem(text, error)]) from None
    except RecursionError:
        raise config_error(path, TOML_TOO_DEEP) from None
    if not is_shallow_value(values, MAX_DEPTH):  # dotted names nest as well, in tables too
        raise config_error(path, TOML_TOO_DEEP)
    return values


def _without_text(quoted: re.Match[str]) -> str:
    """Return a name with the same number of lines for a string, nothing for a comment."""
    text = quoted[0]
    return "" if text.startswith("#") else "_" + "\n" * text.count("\n")


def _json5(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        values = pyjson5.decode(text)
    except pyjson5.Json5DecoderException as error:
        raise ConfigError(str(path), [json5_problem(text, error)]) from None
    except ValueError:  # of int(), for 5,000 digits
        raise config_error(path, f"is not JSON5: {TOO_LARGE}") from None
    root = scan(text)
    if not isinstance(values, Mapping):
        raise config_error(path, "must be one object, { ... }, at the top")
    twice = [
        Problem(
            where,
            f"is given {len(found)} times (lines {', '.join(str(line(text, at)) for at in found)}"
            "); allowed: once",
            line(text, found[-1]),
        )
        for where, found in duplicates(root)
    ]
    if twice:
        raise ConfigError(str(path), twice)
    return dict(values), dict(lines(text, root))
