"""Tracks how far a client has read each account. Pure.

With that it can continue after a lost connection. Our own events carry ``cursor``,
``<incarnation>:<seq>``, in their payload; it only grows, within one incarnation by one, except for
numbers that the event lists in ``skips`` (docs/protocol.md, Events). The answer of
``events.subscribe`` has the initial position of each account: without it, events missed before the
first one would not be noticed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from ipc.errors import FrameError
from ipc.nesting import MALFORMED

Cursor = tuple[int, int]

BEGINNING: Cursor = (0, 0)  # before everything that an account ever sends
MAX_PART = (1 << 63) - 1
MAX_CURSOR = 41  # characters
NEW_ACCOUNTS = "*"  # in place of an account: all that did not exist at the subscription


class _Place(msgspec.Struct):
    account: str = ""
    cursor: str = ""
    skips: list[int | tuple[int, int]] = []


_decode = msgspec.json.Decoder(_Place).decode


def parse_cursor(text: str) -> Cursor:
    """Read ``<incarnation>:<seq>``, as large as those of frames; raises ``FrameError``."""
    incarnation, _, seq = text.partition(":")
    if not (
        len(text) <= MAX_CURSOR
        and incarnation.isascii()
        and incarnation.isdigit()
        and seq.isascii()
        and seq.isdigit()
    ):
        raise FrameError(f"not a cursor: {text[:80]!r}")
    cursor = int(incarnation), int(seq)
    if max(cursor) > MAX_PART:  # the journal cannot look for it
        raise FrameError(f"not a cursor: {text!r}")
    return cursor


def cursor_text(cursor: Cursor) -> str:
    """Format a cursor as in events."""
    return f"{cursor[0]}:{cursor[1]}"


def has_all_after(floor: Cursor | None, cursor: Cursor) -> bool:
    """Return whether a buffer of everything after ``floor`` has everything after ``cursor``.

    ``floor`` is ``None`` if it has never had anything. ``BEGINNING`` is the cursor of a client that
    subscribed before any event, so the first message of any incarnation may be the very first.
    """
    if cursor == BEGINNING:
        return floor is None or floor[1] == 0
    return floor is not None and floor <= cursor


class Cursors:
    """Keeps the last cursor of each account, and finds gaps between cursors."""

    def __init__(self) -> None:
        self._last: dict[str, Cursor] = {}
        self._gaps: set[str] = set()  # of these a gap was reported: any event may be the next

    def apply(self, payload: msgspec.Raw) -> tuple[bool, dict[str, Any] | None]:
        """Store the cursor of the event with this payload, and find a gap before it.

        Returns whether it is new, and the gap before it, ``{account, after, next}`` with cursors,
        or ``None``. Raises ``FrameError`` without a cursor.
        """
        try:
            place = _decode(payload)
        except MALFORMED as error:
            raise FrameError(f"malformed payload: {error}") from None
        cursor, last = parse_cursor(place.cursor), self._last.get(place.account)
        if place.account in self._gaps:
            self._gaps.discard(place.account)
            last = None
        if last is not None and cursor[0] == last[0] and cursor[1] <= last[1]:
            return False, None
        self._last[place.account] = cursor
        if last is None or cursor[0] != last[0] or cursor[1] == last[1] + 1:
            return True, None
        if cursor[1] == _next(last[1] + 1, place.skips):
            return True, None
        return True, {"account": place.account, "after": cursor_text(last), "next": place.cursor}

    def on_gap(self, payload: msgspec.Raw) -> None:
        """Accept any cursor as the next one of this payload's account.

        The last cursor is kept, in case the connection is lost before the next event.
        """
        with contextlib.suppress(msgspec.DecodeError):
            self._gaps.add(_decode(payload).account)

    def params(self) -> dict[str, str]:
        """Return the params ``cursors`` of ``events.subscribe``."""
        return {account: cursor_text(cursor) for account, cursor in self._last.items()}

    def on_subscribed(self, positions: Any, asked: Mapping[str, str]) -> None:
        """Store the positions of accounts at a subscription with the params ``asked``.

        If an event of an account has come since, its cursor is used instead. If the position is
        behind the last cursor of the same incarnation, the client has more than the gateway knows
        yet.
        """
        if not isinstance(positions, dict):
            return  # an older gateway
        for account, text in positions.items():
            last = self._last.get(account)
            if (None if last is None else cursor_text(last)) != asked.get(account):
                continue
            try:
                position = parse_cursor(text)
            except FrameError:
                continue
            if account not in self._gaps and last is not None and last[0] == position[0]:
                position = max(position, last)
            self._gaps.discard(account)
            self._last[account] = position


def _next(number: int, skips: list[int | tuple[int, int]]) -> int:
    """Return the first number from ``number`` on that is not skipped."""
    for skip in skips:
        first, last = (skip, skip) if isinstance(skip, int) else skip
        if first <= number <= last:
            number = last + 1
    return number
