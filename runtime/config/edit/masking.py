"""Hides the secrets in the text of a configuration, and puts them back when it returns.

What is shown to a remote editor is the file as it is written, comments and all, with a mark
for each secret. A mark that comes back stands for the value that was there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from runtime.config.errors import ConfigError, Problem
from runtime.config.redact import REDACTED, redacted
from runtime.config.text.json5_positions import Node, scan
from runtime.config.text.parse import parse
from workers.registry import Manifests

Place = tuple[str | int, ...]
MIN_SECRET = 6  # characters; a shorter one, like "yes", may stand in a comment by chance


def masked(path: Path, text: str, manifests: Manifests) -> tuple[str, dict[str, Any]]:
    """Return the text, and its values, without secrets. ``text`` must be valid."""
    values, _ = parse(path, text)
    shown = redacted(values, manifests)
    hidden = {place: (old, new) for place, old, new in _differences(values, shown, ())}
    result = _with(path, text, {place: new for place, (_, new) in hidden.items()})
    for old, _ in hidden.values():
        if len(old) >= MIN_SECRET:  # a comment may repeat it
            result = result.replace(old, REDACTED)
    return result, shown


def restored(path: Path, text: str, old: Mapping[str, Any], manifests: Manifests) -> str:
    """Return the text with the secrets of ``old`` where it has marks.

    Raises ``ConfigError`` for a text that cannot be parsed, and for a mark where ``old`` has
    no secret.
    """
    if REDACTED not in text:
        return text
    values, _ = parse(path, text)
    shown = redacted(old, manifests)
    found: dict[Place, str] = {}
    for place, value in _leaves(values, ()):
        if isinstance(value, str) and REDACTED in value:
            if _at(shown, place) != value:
                key = ".".join(str(each) for each in place)
                said = f'Sentinel value "{REDACTED}" in key {key} is not valid as real data'
                raise ConfigError(str(path), [Problem(key, said)])
            found[place] = _at(old, place)
    return _with(path, text, found)


def _with(path: Path, text: str, changes: Mapping[Place, str]) -> str:
    """Return the text with some of its strings replaced."""
    if not changes:
        return text
    return _in_toml(text, changes) if path.suffix == ".toml" else _in_json5(text, changes)


def _in_json5(text: str, changes: Mapping[Place, str]) -> str:
    parts, end = [], 0
    for place, node in _nodes(scan(text), ()):
        if place in changes:
            parts += [text[end : node.start], _quoted(changes[place], text[node.start])]
            end = node.end
    return "".join([*parts, text[end:]])


def _quoted(value: str, sign: str) -> str:
    """Return a JSON5 string between the quotes that stood there."""
    text = json.dumps(value, ensure_ascii=False)
    if sign != "'":
        return text
    inner = text[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def _in_toml(text: str, changes: Mapping[Place, str]) -> str:
    document: Any = tomlkit.parse(text)
    for place, value in changes.items():
        inner = document
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value
    return tomlkit.dumps(document)


def _nodes(node: Node, place: Place) -> Iterator[tuple[Place, Node]]:
    """Yield the values that hold no others, in the order of the text."""
    for member in node.members:
        yield from _nodes(member.value, (*place, member.name))
    for index, item in enumerate(node.items):
        yield from _nodes(item, (*place, index))
    if not node.members and not node.items:
        yield place, node


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*place, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*place, index))
    else:
        yield place, value


def _differences(old: Any, new: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    if isinstance(old, Mapping):
        for name, value in old.items():
            yield from _differences(value, new[name], (*place, name))
    elif isinstance(old, list):
        for index, value in enumerate(old):
            yield from _differences(value, new[index], (*place, index))
    elif old != new:
        yield place, old, new


def _at(values: Any, place: Place) -> Any:
    for name in place:
        if isinstance(values, Mapping):
            values = values.get(name)
        elif isinstance(values, list) and isinstance(name, int) and name < len(values):
            values = values[name]
        else:
            return None
    return values
