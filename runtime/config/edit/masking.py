"""Hides the secrets in a configuration's text, and puts them back when it returns. Pure.

A remote editor gets the file as it is written, comments and all, with a mark for each secret.
A mark that comes back stands for the value that was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.config.errors import config_error
from runtime.config.redact import REDACTED, hidden, redacted
from runtime.config.text.json5_edit import replace_strings
from runtime.config.text.json5_positions import ValuePath
from runtime.config.text.parse import parse
from runtime.config.text.toml_edit import replace_strings_toml
from workers.registry import Manifests

MIN_SECRET = 6  # characters; a shorter one, like "yes", may stand in a comment by chance


def masked(path: Path, text: str, manifests: Manifests) -> tuple[str, dict[str, Any]]:
    """Return the text, and its values, without secrets. ``text`` must be valid."""
    values, _ = parse(path, text)
    shown = redacted(values, manifests)
    found = list(hidden(values, shown))
    result = _with(path, text, {place: mark for place, _, mark in found})
    for _, secret, _ in found:
        if len(secret) >= MIN_SECRET:  # a comment may repeat it
            result = result.replace(secret, REDACTED)
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
    found: dict[ValuePath, str] = {}
    for place, value in _leaves(values, ()):
        if isinstance(value, str) and REDACTED in value:
            if _at(shown, place) != value:
                key = ".".join(str(each) for each in place)
                reason = f'Sentinel value "{REDACTED}" in key {key} is not valid as real data'
                raise config_error(path, reason, key)
            found[place] = _at(old, place)
    return _with(path, text, found)


def _with(path: Path, text: str, changes: Mapping[ValuePath, str]) -> str:
    """Return the text with some of its strings replaced."""
    if not changes:
        return text
    if path.suffix == ".toml":
        return replace_strings_toml(text, changes)
    return replace_strings(text, changes)


def _leaves(value: Any, place: ValuePath) -> Iterator[tuple[ValuePath, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*place, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*place, index))
    else:
        yield place, value


def _at(values: Any, place: ValuePath) -> Any:
    for name in place:
        if isinstance(values, Mapping):
            values = values.get(name)
        elif isinstance(values, list) and isinstance(name, int) and name < len(values):
            values = values[name]
        else:
            return None
    return values
