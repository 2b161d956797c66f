"""Finds the position of each value of a JSON5 text, and duplicate keys. Pure.

The parser in use reports neither. This module reads only texts that the parser has accepted, so
it knows brackets, strings and comments, and leaves the meaning of values to the parser.
``json5_edit`` uses the same positions to change a text without losing its comments.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

import msgspec
import pyjson5

from ipc.hidden_fields import hide_fields

ValuePath = tuple[str | int, ...]  # of a value: the names and indexes that lead to it

_TOKEN = re.compile(
    r"""(?P<skip>(?:[\s\ufeff]|//[^\n\r\u2028\u2029]*|/\*.*?\*/)+)
      | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
      | (?P<sign>[{}\[\]:,])
      | (?P<word>[^\s{}\[\]:,"'/]+)""",
    re.DOTALL | re.VERBOSE,
)


class Node(msgspec.Struct):
    """A value: the text from ``start`` to ``end``, with the members or items inside it."""

    start: int
    end: int = 0
    members: list[Member] = msgspec.field(default_factory=list)
    items: list[Node] = msgspec.field(default_factory=list)
    commas: list[int] = msgspec.field(default_factory=list)  # between and after the members

    def get(self, *path: str) -> Node | None:
        """Return the value at ``path``; the last one of a duplicate key."""
        node: Node | None = self
        for name in path:
            found = [each for each in node.members if each.name == name] if node else []
            node = found[-1].value if found else None
        return node


class Member(msgspec.Struct, frozen=True):
    """``name: value`` in an object; ``start`` is where the name begins."""

    name: str
    start: int
    value: Node


@hide_fields("text")
class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    start: int
    end: int


def scan(text: str) -> Node:
    """Return the positions in ``text``, which must be valid JSON5."""
    tokens = _tokens(text)
    return _value(next(tokens), tokens)


def duplicates(node: Node, path: str = "") -> Iterator[tuple[str, list[int]]]:
    """Yield the path and all offsets of every duplicate key."""
    starts: dict[str, list[int]] = {}
    for member in node.members:
        starts.setdefault(member.name, []).append(member.start)
        inner = f"{path}.{member.name}" if path else member.name
        yield from duplicates(member.value, inner)
    for name, found in starts.items():
        if len(found) > 1:
            yield (f"{path}.{name}" if path else name), found
    for index, item in enumerate(node.items):
        yield from duplicates(item, f"{path}[{index}]")


def line(text: str, offset: int) -> int:
    """Return the line of ``offset``, counted from 1."""
    return text.count("\n", 0, max(offset, 0)) + 1


def lines(text: str, node: Node) -> Iterator[tuple[str, int]]:
    """Yield path and line of every member and item in ``node``."""
    ends = [found.start() for found in re.finditer("\n", text)]
    for path, start in _places(node, ""):
        yield path, bisect_left(ends, start) + 1  # counting from the top would be quadratic


def _places(node: Node, path: str) -> Iterator[tuple[str, int]]:
    for member in node.members:
        inner = f"{path}.{member.name}" if path else member.name
        yield inner, member.start
        yield from _places(member.value, inner)
    for index, item in enumerate(node.items):
        yield f"{path}[{index}]", item.start
        yield from _places(item, f"{path}[{index}]")


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup and match.lastgroup != "skip":
            yield _Token(match.lastgroup, match[0], *match.span())


def _value(token: _Token, tokens: Iterator[_Token]) -> Node:
    if token.text == "{":
        return _object(token.start, tokens)
    if token.text == "[":
        return _list(token.start, tokens)
    return Node(token.start, token.end)


def _object(start: int, tokens: Iterator[_Token]) -> Node:
    node = Node(start)
    for token in tokens:
        if token.text == "}":
            node.end = token.end
            break
        if token.text == ",":
            node.commas.append(token.start)
        else:
            next(tokens)  # the colon
            node.members.append(Member(_name(token), token.start, _value(next(tokens), tokens)))
    return node


def _list(start: int, tokens: Iterator[_Token]) -> Node:
    node = Node(start)
    for token in tokens:
        if token.text == "]":
            node.end = token.end
            break
        if token.text != ",":
            node.items.append(_value(token, tokens))
    return node


def _name(token: _Token) -> str:
    """Return a key as the parser reads it; an identifier may contain escapes, too."""
    quoted = token.text if token.kind == "text" else f'"{token.text}"'
    return str(pyjson5.decode(quoted))
