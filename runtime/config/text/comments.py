"""Finds and replaces the comments of a configuration's text, JSON5 or TOML. Pure.

Only for texts that the parser has accepted: then what begins like a string or a comment is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ipc.hidden_fields import hide_fields

_JSON5 = re.compile(
    r"""(?P<sign>//)(?P<rest>[^\n\r\u2028\u2029]*)
      | /\*(?P<inner>.*?)\*/
      | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'""",
    re.DOTALL | re.VERBOSE,
)
_TOML = re.compile(
    r'''(?P<sign>\#)(?P<rest>[^\n]*)
      | """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?\'{3,5}
      | "(?:\\.|[^"\\\n])*" | '[^'\n]*' ''',
    re.DOTALL | re.VERBOSE,
)


@hide_fields("text")
class Comment(msgspec.Struct, frozen=True):
    """The text of a comment from ``start`` to ``end``, without surrounding white space.

    ``sign`` is what the comment begins with: ``//``, ``/*`` or ``#``.
    """

    sign: str
    text: str
    start: int
    end: int


def comments(text: str, *, toml: bool) -> list[Comment]:
    """Return the non-empty comments of ``text``, in order."""
    found = []
    for match in (_TOML if toml else _JSON5).finditer(text):
        if match.lastgroup is None:
            continue  # a string
        inner = match[match.lastgroup]
        if said := inner.strip():
            start = match.start(match.lastgroup) + inner.index(said)
            found.append(Comment(match["sign"] or "/*", said, start, start + len(said)))
    return found


def replace_comments(text: str, new: Callable[[int, Comment], str], *, toml: bool) -> str:
    """Return ``text`` with each comment's text replaced by ``new(number, comment)``, from 1."""
    parts, end = [], 0
    for number, comment in enumerate(comments(text, toml=toml), 1):
        parts += [text[end : comment.start], new(number, comment)]
        end = comment.end
    return "".join([*parts, text[end:]])
