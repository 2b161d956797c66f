"""Changes single values of a JSON5 text, keeping everything else, also comments. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.config.text.json5_positions import Member, Node, ValuePath, scan

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_REST_OF_LINE = re.compile(r"[ \t]*(?://[^\n]*|/\*(?:(?!\*/)[^\n])*\*/[ \t]*)?(?=\r?\n)")
_STEP = "  "
_LINE = 76  # characters: a longer object is written on several lines


def add_member(text: str, path: Sequence[str], value: Any, *, json5: bool = True) -> str:
    """Return ``text`` with ``value`` added at ``path``, which must not exist yet.

    Objects on the way that do not exist are made. ``json5`` false: quote every key.
    """
    node, rest = scan(text), list(path)
    while len(rest) > 1 and (inner := node.get(rest[0])) is not None:
        node = inner
        rest.pop(0)
    for name in reversed(rest[1:]):
        value = {name: value}
    outer = _indent(text, node.start)
    indent = _member_indent(text, node, outer)
    at, comma_before, comma_after = _end_of_members(text, node, json5)
    member = f"{_key(rest[0], json5)}: {render(value, indent, json5=json5)}{comma_after}"
    closing = "" if "\n" in text[at : node.end] else f"\n{outer}"
    text = (
        f"{text[:at]}\n{indent}{member}{closing}{text[at:].lstrip(' ') if closing else text[at:]}"
    )
    if comma_before is not None:
        text = f"{text[:comma_before]},{text[comma_before:]}"
    return text


def remove_member(text: str, path: Sequence[str]) -> str:
    """Return ``text`` without the member at ``path``, which must exist.

    A comment behind it on its line goes with it; one above it stays.
    """
    node = scan(text).get(*path[:-1])
    assert node is not None
    member = next(each for each in node.members if each.name == path[-1])
    later = [comma for comma in node.commas if comma >= member.value.end]
    earlier = [comma for comma in node.commas if comma < member.start]
    start, end = member.start, later[0] + 1 if later else member.value.end
    if alone := _REST_OF_LINE.match(text, end):
        before = text.rfind("\n", 0, start) + 1
        if not text[before:start].strip():
            start, end = max(before - 1, 0), alone.end()
    text = text[:start] + text[end:]
    if len(node.members) == 1 and not text[node.start + 1 : start].strip():
        rest = text[start:].lstrip()
        if rest.startswith("}"):
            text = f"{text[: node.start]}{{{rest}"
    if not later and earlier:  # it was the last one: strict JSON has no comma before the end
        text = text[: earlier[-1]] + text[earlier[-1] + 1 :]
    return text


def replace_at(text: str, node: Node, value: Any, *, json5: bool = True) -> str:
    """Return ``text`` with the value at ``node`` replaced by ``value``."""
    shown = render(value, _indent(text, node.start), json5=json5)
    return f"{text[: node.start]}{shown}{text[node.end :]}"


def replace_strings(text: str, changes: Mapping[ValuePath, Any]) -> str:
    """Return ``text`` with some strings or numbers replaced; quotes keep their kind."""
    parts, end = [], 0
    for place, node in _nodes(scan(text), ()):
        if place in changes:
            parts += [text[end : node.start], _quoted(changes[place], text[node.start])]
            end = node.end
    return "".join([*parts, text[end:]])


def render(value: Any, indent: str = "", *, json5: bool = True) -> str:
    """Return ``value`` as JSON5, on one line if it is short."""
    if not isinstance(value, Mapping):
        return _flat(value, json5)
    flat = _flat(value, json5)
    if len(indent) + len(flat) <= _LINE and not any(isinstance(v, Mapping) for v in value.values()):
        return flat
    inner = indent + _STEP
    lines = [
        f"{_key(name, json5)}: {render(each, inner, json5=json5)}" for name, each in value.items()
    ]
    end = "," if json5 else ""
    return "{\n" + ",\n".join(f"{inner}{line}" for line in lines) + f"{end}\n{indent}}}"


def _flat(value: Any, json5: bool) -> str:
    if isinstance(value, Mapping):
        members = ", ".join(
            f"{_key(name, json5)}: {_flat(each, json5)}" for name, each in value.items()
        )
        return f"{{ {members} }}" if members else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_flat(each, json5) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str, json5: bool) -> str:
    return name if json5 and _IDENTIFIER.match(name) else json.dumps(name, ensure_ascii=False)


def _indent(text: str, offset: int) -> str:
    """Return the white space at the beginning of the line of ``offset``."""
    start = text.rfind("\n", 0, offset) + 1
    return text[start : len(text) - len(text[start:].lstrip(" \t"))]


def _member_indent(text: str, node: Node, outer: str) -> str:
    """Return the indentation of an object's members, taken from its first one if possible."""
    if node.members:
        start = node.members[0].start
        before = text[text.rfind("\n", 0, start) + 1 : start]
        if not before.strip():
            return before
    return outer + _STEP


def _end_of_members(text: str, node: Node, json5: bool) -> tuple[int, int | None, str]:
    """Return the offset for a new member, of a missing comma before it, and the text after it."""
    if not node.members:
        at, missing, after = node.start + 1, None, "," if json5 else ""
    else:
        last: Member = node.members[-1]
        trailing = [comma for comma in node.commas if comma >= last.value.end]
        at = trailing[0] + 1 if trailing else last.value.end
        missing = None if trailing else last.value.end
        after = "," if trailing else ""
    rest = _REST_OF_LINE.match(text, at)
    return (rest.end() if rest else at), missing, after


def _quoted(value: Any, sign: str) -> str:
    """Return a JSON5 string in the quotes used before, or a number."""
    text = json.dumps(value, ensure_ascii=False)
    if sign != "'" or not isinstance(value, str):
        return text
    inner = text[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def _nodes(node: Node, place: ValuePath) -> Iterator[tuple[ValuePath, Node]]:
    """Yield the scalar values in the order of the text."""
    for member in node.members:
        yield from _nodes(member.value, (*place, member.name))
    for index, item in enumerate(node.items):
        yield from _nodes(item, (*place, index))
    if not node.members and not node.items:
        yield place, node
