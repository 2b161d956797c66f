"""One place in the configuration's schema, for a form that shows it step by step. Pure.

A path is written with dots: ``channels.irc.accounts.*.host``. The name of an account, or the
place in a list, may stand for ``*``; ``.`` is the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Shape = dict[str, Any]
NESTED = ("properties", "additionalProperties", "items", "required", "$defs")


def look_up(schema: Shape, hints: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the answer of ``config.schema.lookup``; ``None`` where nothing is at ``path``."""
    keys = re.findall(r"[^.\[\]]+", path.replace("/", "."))
    shape: Shape | None = schema
    named: list[str] = []  # with ``*`` for what has any name: hints are kept so
    for key in keys:
        inner = {} if shape is None else _children(schema, shape)
        if key not in inner and "*" not in inner:
            return None
        named.append(key if key in inner else "*")
        shape = inner[named[-1]]
    if shape is None:
        return None
    whole = _resolved(schema, shape)
    required = whole.get("required", ())
    children = [
        {"key": key, "path": ".".join([*keys, key]), "required": key in required}
        | _child(schema, each)
        | _hint(hints, [*named, key])
        for key, each in _children(schema, shape).items()
    ]
    shown = {name: value for name, value in whole.items() if name not in NESTED}
    return {"path": path, "schema": shown, "children": children} | _hint(hints, named)


def _children(schema: Shape, shape: Shape) -> dict[str, Shape]:
    """Return what is inside, by key; ``*`` is what has any name or place."""
    found: dict[str, Shape] = {}
    for each in _alternatives(schema, shape):
        found |= each.get("properties", {})
        for name in ("additionalProperties", "items"):
            if isinstance(each.get(name), dict):
                found["*"] = each[name]
    return found


def _child(schema: Shape, shape: Shape) -> dict[str, Any]:
    types = list(
        dict.fromkeys(each["type"] for each in _alternatives(schema, shape) if "type" in each)
    )
    told: dict[str, Any] = {"hasChildren": bool(_children(schema, shape))}
    return told | ({"type": types[0] if len(types) == 1 else types} if types else {})


def _hint(hints: Mapping[str, Any], named: list[str]) -> dict[str, Any]:
    place = ".".join(named)
    return {"hint": hints[place], "hintPath": place} if place in hints else {}


def _alternatives(schema: Shape, shape: Shape) -> list[Shape]:
    whole = _resolved(schema, shape)
    if "anyOf" not in whole:
        return [whole]
    return [each for option in whole["anyOf"] for each in _alternatives(schema, option)]


def _resolved(schema: Shape, shape: Shape) -> Shape:
    """Follow a reference; what stands beside it counts more."""
    name = shape.get("$ref")
    if name is None:
        return shape
    found: Shape = schema["$defs"][name.rpartition("/")[2]]
    return found | {key: value for key, value in shape.items() if key != "$ref"}
