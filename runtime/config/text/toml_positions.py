"""Finds the line of each value of a TOML text, as far as single lines show it. Pure.

The parser does not report lines. Each table's head and each key at the beginning of a line is
parsed by itself; what a string of several lines seems to define is not among the values, and is
left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

MAX_NAMES = 32  # in one dotted name: deeper is no configuration
# What was matched is never given back ("++"): a line in a string of several lines may be anything.
_NAME = r"""(?:"[^"]*"|'[^']*'|[\w-]++)"""
_NAMES = rf"{_NAME}(?:\s*+\.\s*+{_NAME}){{0,{MAX_NAMES - 1}}}+"
_HEAD = re.compile(rf"\s*+(\[\s*+{_NAMES}\s*+\])\s*+(?:#.*)?$")
_KEY = re.compile(rf"\s*+({_NAMES})\s*+=")


def toml_lines(text: str, values: Mapping[str, Any]) -> dict[str, int]:
    """Return the line, from 1, of each path into ``values`` that is seen to begin on one."""
    found: dict[str, int] = {}
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if head := _HEAD.match(line):
            table = _names(head[1])
            path = table
        elif key := _KEY.match(line):
            path = table + _names(f"{key[1]} = 0")
        else:
            continue
        for length in range(1, len(path) + 1):
            if _has(values, path[:length]):
                found.setdefault(".".join(path[:length]), number)
    return found


def _names(text: str) -> list[str]:
    """Return the names in ``[a.b]`` or ``a.b = 0``; none if the line alone is not TOML."""
    try:
        return list(_down(tomllib.loads(text)))
    except ValueError:
        return []


def _down(value: Any) -> Iterator[str]:
    while isinstance(value, Mapping) and value:
        (name, value) = next(iter(value.items()))
        yield name


def _has(values: Any, path: list[str]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True
