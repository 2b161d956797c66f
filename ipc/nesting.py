"""Limits the nesting depth of external data, equally on every interpreter. Pure.

Decoders recurse, and each version of Python stops them elsewhere: 3.11 after 1,000 levels, 3.13
after 5,000 or more. So a peer, a plugin or a file would decide how deep we recurse, and what one
host takes would be refused by another. What comes in is read with ``decode_json`` or, where a
text may hold what is no strict JSON, ``load_json``; both refuse with ``TooDeep``, which is a
``DecodeError`` and a ``ValueError``. MessagePack is bounded by its types (``ipc/frames``), JSON5
by its parser.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

MAX_DEPTH = 64  # arrays and objects inside each other
SHORT_TEXT = 2 * MAX_DEPTH  # bytes; a text so short has no room for so many brackets
# On the hot path a text of at most so many bytes is not checked: it nests no deeper than half of
# that, which every interpreter accepts, and counting costs a nanosecond for each byte.
SHORT_BYTES = 1024
# Finding the few brackets of a long text is cheaper than counting them: it is mostly words.
LONG_BYTES = 16 * 1024
SLICE_BYTES = 64 * 1024
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


class TooDeep(msgspec.DecodeError, ValueError):
    """Data is nested too deeply."""

    def __init__(self, limit: int = MAX_DEPTH) -> None:
        super().__init__(f"nested deeper than {limit} levels")


MALFORMED = (msgspec.DecodeError, UnicodeError, RecursionError)  # all that a decoder may raise


@overload
def decode_json(text: bytes | str | msgspec.Raw) -> Any: ...
@overload
def decode_json(text: bytes | str | msgspec.Raw, type: type[T]) -> T: ...
def decode_json(text: bytes | str | msgspec.Raw, type: Any = Any) -> Any:
    """Decode a JSON text as ``type``; raises one of ``MALFORMED``."""
    require_shallow(text)
    return msgspec.json.decode(text, type=type)


def decode_shallow(text: bytes) -> Any:
    """Decode a JSON text that ``require_shallow`` has let pass; raises as ``decode_json``."""
    return msgspec.json.decode(text)


def load_json(text: bytes | str) -> Any:
    """Decode a text as ``json`` does: NaN and lone surrogates are allowed.

    Raises ``ValueError``.
    """
    require_shallow(text)
    return json.loads(text)


def require_shallow(text: bytes | str | msgspec.Raw) -> None:
    """Raise ``TooDeep`` for a JSON text that nests deeper than ``MAX_DEPTH``."""
    if len(text) <= SHORT_TEXT:
        return
    data = text.encode(errors="replace") if isinstance(text, str) else bytes(text)
    if not is_shallow(data):
        raise TooDeep


def is_shallow(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Return whether a JSON text nests no deeper than ``limit``, without decoding it.

    For invalid JSON, at least the part that a decoder would read is counted.
    """
    if len(text) > LONG_BYTES:
        opened = _count_up_to(limit + 1, text, 0x7B) + _count_up_to(limit + 1, text, 0x5B)
    else:
        opened = text.count(0x7B)  # {, even those in strings
        if text.find(0x5B) >= 0:  # [ is rare: to look for it costs a tenth of counting it
            opened += text.count(0x5B)
    if opened <= limit:
        return True
    brackets = _outside_strings(text).translate(_ONE_BRACKET, _NO_BRACKET)
    for _ in range(limit):
        brackets = brackets.replace(b"[]", b"")  # one level: the innermost of every branch
        if not brackets:
            return True
    return False


def has_more_values(text: bytes, most: int) -> bool:
    """Return whether a JSON text has more values than ``most``, without decoding it.

    Counted are arrays, objects and commas. Decoded, a small value takes up to fifty times its text.
    """
    if _count_values(text) <= most:
        return False
    return _count_values(_outside_strings(text)) > most


def _count_values(text: bytes) -> int:
    return text.count(0x7B) + text.count(0x5B) + text.count(0x2C)  # {, [ and commas


def _outside_strings(text: bytes) -> bytes:
    found, inside = [], 0
    for part in _slices(text):  # all pieces of a long text would be ten times it
        if b"\\" in part:
            part = part.replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = part.split(b'"')
        found.append(b"".join(pieces[inside::2]))
        inside ^= (len(pieces) - 1) & 1
    return b"".join(found)


def _slices(text: bytes) -> Iterator[bytes]:
    """Cut a text, and no escape of it, into slices."""
    at = 0
    while at < len(text):
        part = text[at : at + SLICE_BYTES]
        if (len(part) - len(part.rstrip(b"\\"))) % 2:  # what it escapes comes next
            part = text[at : at + SLICE_BYTES + 1]
        at += len(part)
        yield part


def _count_up_to(most: int, text: bytes, byte: int) -> int:
    found, at = 0, text.find(byte)
    while at >= 0 and found < most:
        found, at = found + 1, text.find(byte, at + 1)
    return found


def is_shallow_value(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Return whether dictionaries and lists nest no deeper than ``limit``, without recursion."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return True
    return not any(isinstance(each, dict | list) for each in level)
