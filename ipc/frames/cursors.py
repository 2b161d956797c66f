"""Follows how far a client has read each account. Pure.

So it can go on after a lost connection. Our own events carry ``cursor``,
``<incarnation>:<seq>``, in their payload; it only grows, and within one incarnation by one, but
for the numbers that the event names in ``skips`` (docs/protocol.md, Events).
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from ipc.errors import FrameError
from ipc.nesting import MALFORMED

Cursor = tuple[int, int]


class _Place(msgspec.Struct):
    account: str = ""
    cursor: str = ""
    skips: list[int | tuple[int, int]] = []


_decode = msgspec.json.Decoder(_Place).decode


def parse_cursor(text: str) -> Cursor:
    """Read ``<incarnation>:<seq>``; raises ``FrameError``."""
    incarnation, _, seq = text.partition(":")
    if not (incarnation.isascii() and incarnation.isdigit() and seq.isascii() and seq.isdigit()):
        raise FrameError(f"not a cursor: {text[:80]!r}")
    return int(incarnation[:20]), int(seq[:20])


class Cursors:
    """The last cursor of each account, and what is missing between two of them."""

    def __init__(self) -> None:
        self._last: dict[str, Cursor] = {}

    def take(self, payload: msgspec.Raw) -> tuple[bool, dict[str, Any] | None]:
        """Note the event with this payload, and find what is missing before it.

        Returns whether it is new, and what is missing before it: ``{account, after, next}``
        with cursors, ``None`` when nothing is. Raises ``FrameError`` without a cursor.
        """
        try:
            place = _decode(payload)
        except MALFORMED as error:
            raise FrameError(f"malformed payload: {error}") from None
        cursor, last = parse_cursor(place.cursor), self._last.get(place.account)
        if last is not None and cursor[0] == last[0] and cursor[1] <= last[1]:
            return False, None
        self._last[place.account] = cursor
        if last is None or cursor[0] != last[0] or cursor[1] == last[1] + 1:
            return True, None
        if cursor[1] == _next(last[1] + 1, place.skips):
            return True, None
        return True, {"account": place.account, "after": _text(last), "next": place.cursor}

    def forget(self, payload: msgspec.Raw) -> None:
        """Accept any cursor next from the account of this payload."""
        with contextlib.suppress(msgspec.DecodeError):
            self._last.pop(_decode(payload).account, None)

    def resume(self) -> dict[str, str]:
        """Return the params ``cursors`` of ``events.subscribe``."""
        return {account: _text(cursor) for account, cursor in self._last.items()}


def _next(number: int, skips: list[int | tuple[int, int]]) -> int:
    """Return the first number from ``number`` on that is not skipped."""
    for skip in skips:
        first, last = (skip, skip) if isinstance(skip, int) else skip
        if first <= number <= last:
            number = last + 1
    return number


def _text(cursor: Cursor) -> str:
    return f"{cursor[0]}:{cursor[1]}"
