"""Changes single values of a TOML text, keeping its comments and layout. Pure.

Nothing that a start needs imports this: tomlkit takes 15 ms. What it cannot change (an inline
table, for example) it may spoil: the caller compares the result with what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from runtime.config.text.json5_positions import ValuePath

UNCHANGEABLE = (TOMLKitError, TypeError, ValueError)  # what tomlkit raises for such a text


def add_toml(text: str, path: Sequence[str], value: Mapping[str, Any]) -> str:
    """Return ``text`` with ``value`` added as a table at ``path``, which must not exist yet.

    Raises one of ``UNCHANGEABLE``.
    """
    document = tomlkit.parse(text)
    place: Any = document
    for name in path[:-1]:
        if name not in place:
            place[name] = tomlkit.table(is_super_table=True)
        place = place[name]
    table = tomlkit.table()
    for name, each in value.items():
        table[name] = _inline(each)
    place[path[-1]] = table
    return tomlkit.dumps(document)


def remove_toml(text: str, path: Sequence[str]) -> str:
    """Return ``text`` without the table at ``path``, which must exist.

    Raises one of ``UNCHANGEABLE``.
    """
    document = tomlkit.parse(text)
    *outer, last = path
    place: Any = document
    parent: Any = None
    for name in outer:
        parent, place = place, place[name]
    del place[last]
    if not place and parent is not None:
        # A table that is only the beginning of longer names would vanish with the last one.
        parent[outer[-1]] = tomlkit.table()
    return tomlkit.dumps(document)


def replace_strings_toml(text: str, changes: Mapping[ValuePath, Any]) -> str:
    """Return ``text`` with some strings or numbers replaced."""
    document: Any = tomlkit.parse(text)
    for place, value in changes.items():
        inner = document
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
    return tomlkit.dumps(document)


def _inline(value: Any) -> Item:
    """Return ``value`` on one line, which suits a secret's reference."""
    if not isinstance(value, Mapping):
        item: Item = tomlkit.item(value)
        return item
    table = tomlkit.inline_table()
    for name, each in value.items():
        table[name] = _inline(each)
    return table
