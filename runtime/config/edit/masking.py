"""Masks the secrets in a configuration's text, and restores them in an edited text. Pure.

A remote editor gets the file as it is written, with a mark for each secret and a numbered one
for what each comment says. A mark that comes back stands for the value or comment that was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.config.errors import config_error
from runtime.config.redact import REDACTED, hidden, redacted
from runtime.config.text.comments import comments, replace_comments
from runtime.config.text.json5_edit import replace_strings
from runtime.config.text.json5_positions import ValuePath
from runtime.config.text.parse import parse
from runtime.config.text.toml_edit import replace_strings_toml
from workers.registry import Manifests

_COMMENT_MARK = re.compile(rf"{REDACTED}(?::(\d{{1,9}}))?")


def masked(path: Path, text: str, manifests: Manifests) -> tuple[str, dict[str, Any]]:
    """Return the text, and its values, without secrets. ``text`` must be valid.

    Of a comment only that it is there is shown, with its number: a password of last year, a
    line that was commented out, a note in any words cannot be told from what is harmless.
    """
    values, _ = parse(path, text)
    shown = redacted(values, manifests)
    result = replace_comments(text, lambda number, _: f"{REDACTED}:{number}", toml=_is_toml(path))
    return _with(path, result, {place: mark for place, _, mark in hidden(values, shown)}), shown


def restored_comments(path: Path, text: str, old: str) -> str:
    """Return the text with marks replaced by the comments of ``old``.

    Raises ``ConfigError`` for a mark that stands for no comment, or for one of another kind
    (the end of a line would swallow what follows a ``/* */``).
    """
    if REDACTED not in text:
        return text
    parse(path, text)  # comments are found in valid texts only
    before = comments(old, toml=_is_toml(path))

    def again(mark: re.Match[str], sign: str) -> str:
        number = int(mark[1] or 0)
        if not 0 < number <= len(before) or before[number - 1].sign != sign:
            raise config_error(
                path,
                f'"{mark[0]}" in a comment stands for no {sign} comment of the file:'
                " leave the marks of comments as they were read, or delete them",
            )
        return before[number - 1].text

    return replace_comments(
        text,
        lambda _, comment: _COMMENT_MARK.sub(lambda mark: again(mark, comment.sign), comment.text),
        toml=_is_toml(path),
    )


def restored(path: Path, text: str, old: Mapping[str, Any], manifests: Manifests) -> str:
    """Return the text with marks replaced by the secrets of ``old``.

    In a list a value that was moved keeps its secret, as long as it is clear which one it was.
    Raises ``ConfigError`` for a text that cannot be parsed, and for a mark where ``old`` has
    no secret.
    """
    if REDACTED not in text:
        return text
    values, _ = parse(path, text)
    shown = redacted(old, manifests)
    found: dict[ValuePath, Any] = {}
    for place, value in _leaves(values, ()):
        if isinstance(value, str) and REDACTED in value:
            secret = _meant(place, values, old, shown)
            if secret is None:
                key = ".".join(str(each) for each in place)
                reason = f'Sentinel value "{REDACTED}" in key {key} is not valid as real data'
                raise config_error(path, reason, key)
            found[place] = secret
    return _with(path, text, found)


def _meant(place: ValuePath, values: Any, old: Any, shown: Any) -> Any:
    """Return the secret of ``old`` for the mark at ``place`` of ``values``, ``None`` for none."""
    for name in place:
        step: str | int | None = name
        if isinstance(name, int):
            step = _same_item(name, values, old, shown) if isinstance(old, list) else None
        elif not isinstance(old, Mapping) or name not in old:
            return None
        if step is None:
            return None
        values, old, shown = values[name], old[step], shown[step]
    return old if shown == values else None


def _same_item(index: int, values: list[Any], old: list[Any], shown: list[Any]) -> int | None:
    """Return which item of the list ``old`` matches the one at ``index``; ``None`` if unclear.

    An item may have been moved, or others removed: a secret must not pass to its neighbour.
    """
    alike = [at for at, each in enumerate(shown) if each == values[index]]
    if alike and all(old[at] == old[alike[0]] for at in alike):
        return alike[0]
    if alike:  # several, with different secrets
        unmoved = alike == [at for at, each in enumerate(values) if each == values[index]]
    else:  # changed, unless that one is still there
        unmoved = len(values) == len(shown) and shown[index] not in values
    return index if unmoved else None


def _with(path: Path, text: str, changes: Mapping[ValuePath, Any]) -> str:
    """Return the text with some of its strings replaced."""
    if not changes:
        return text
    if _is_toml(path):
        return replace_strings_toml(text, changes)
    return replace_strings(text, changes)


def _is_toml(path: Path) -> bool:
    return path.suffix == ".toml"


def _leaves(value: Any, place: ValuePath) -> Iterator[tuple[ValuePath, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, (*place, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*place, index))
    else:
        yield place, value
