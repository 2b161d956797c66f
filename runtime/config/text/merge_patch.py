"""Applies a merge patch (RFC 7396) to a configuration's values, and to its text. Pure.

Objects are merged, null removes, everything else replaces. In the text, comments and layout of
what the patch does not name stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from runtime.config.text.json5_edit import add_member, remove_member, replace_at
from runtime.config.text.json5_positions import scan


def merged(values: Any, patch: Any) -> Any:
    """Return ``values`` after ``patch``."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(values) if isinstance(values, Mapping) else {}
    for name, each in patch.items():
        if each is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), each)
    return result


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the merge patch from ``before`` to ``after``; ``None`` if there is none.

    A patch cannot set ``null``, which removes.
    """
    patch = _difference(before, after)
    return patch if merged(before, patch) == after else None


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, each in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(each, Mapping):
            if inner := _difference(old, each):
                patch[name] = inner
        elif name not in before or old != each:
            patch[name] = each
    return patch


def merged_text(path: Path, text: str, patch: Mapping[str, Any]) -> str:
    """Return ``text`` after ``patch``, in the language of the suffix of ``path``.

    ``text`` must be valid. What cannot be changed may come out wrong: compare the values.
    """
    if path.suffix == ".toml":
        document: Any = tomlkit.parse(text)
        _merge_toml(document, patch)
        return tomlkit.dumps(document)
    return _merge(text, [], patch, json5=path.suffix == ".json5")


def _merge(text: str, place: list[str], patch: Mapping[str, Any], *, json5: bool) -> str:
    for name, each in patch.items():
        here = [*place, name]
        node = scan(text).get(*here)
        if each is None:
            text = text if node is None else remove_member(text, here)
        elif node is None:
            text = add_member(text, here, merged(None, each), json5=json5)
        elif isinstance(each, Mapping) and text[node.start] == "{":
            text = _merge(text, here, each, json5=json5)
        else:
            text = replace_at(text, node, merged(None, each), json5=json5)
    return text


def _merge_toml(table: Any, patch: Mapping[str, Any]) -> None:
    for name, each in patch.items():
        if each is None:
            table.pop(name, None)
        elif isinstance(each, Mapping) and isinstance(table.get(name), Mapping):
            _merge_toml(table[name], each)
        else:
            table[name] = tomlkit.item(merged(None, each))
