"""Follows how far a client has read each account. Pure.

So it can go on after a lost connection. Our own events carry ``cursor``,
``<incarnation>:<seq>``, in their payload; it only grows, and within one incarnation by one, but
for the numbers that the event names in ``skips`` (docs/protocol.md, Events). Where an account
stands before its first event, the answer of ``events.subscribe`` says: without that, what comes
while there is no connection would be missing with nothing to notice it by.
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
NEW_ACCOUNTS = "*"  # in place of an account: all that did not exist at the subscription


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


def cursor_text(cursor: Cursor) -> str:
    """Return a cursor as it stands in events."""
    return f"{cursor[0]}:{cursor[1]}"


def has_all_after(floor: Cursor | None, cursor: Cursor) -> bool:
    """Return whether what has everything after ``floor`` has everything after ``cursor``.

    ``None``: it has never had anything. ``BEGINNING`` is the cursor of a client that subscribed
    before there was anything, so the first message of any incarnation may be the first of all.
    """
    if cursor == BEGINNING:
        return floor is None or floor[1] == 0
    return floor is not None and floor <= cursor


class Cursors:
    """The last cursor of each account, and what is missing between two of them."""

    def __init__(self) -> None:
        self._last: dict[str, Cursor] = {}
        self._told: set[str] = set()  # of these a gap was reported: any event may be the next

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
        if place.account in self._told:
            self._told.discard(place.account)
            last = None
        if last is not None and cursor[0] == last[0] and cursor[1] <= last[1]:
            return False, None
        self._last[place.account] = cursor
        if last is None or cursor[0] != last[0] or cursor[1] == last[1] + 1:
            return True, None
        if cursor[1] == _next(last[1] + 1, place.skips):
            return True, None
        return True, {"account": place.account, "after": cursor_text(last), "next": place.cursor}

    def gap_told(self, payload: msgspec.Raw) -> None:
        """Accept any cursor next from the account of this payload.

        Its last cursor stays, for a connection that is lost before the next event.
        """
        with contextlib.suppress(msgspec.DecodeError):
            self._told.add(_decode(payload).account)

    def resume(self) -> dict[str, str]:
        """Return the params ``cursors`` of ``events.subscribe``."""
        return {account: cursor_text(cursor) for account, cursor in self._last.items()}

    def begin(self, positions: Any, asked: Mapping[str, str]) -> None:
        """Note where accounts stand at a subscription for which ``asked`` was the params.

        Of an account from which something has come since, that counts instead. Where the
        position is behind the last cursor in the same incarnation, the client has more than the
        gateway knows yet.
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
            if account not in self._told and last is not None and last[0] == position[0]:
                position = max(position, last)
            self._told.discard(account)
            self._last[account] = position


def _next(number: int, skips: list[int | tuple[int, int]]) -> int:
    """Return the first number from ``number`` on that is not skipped."""
    for skip in skips:
        first, last = (skip, skip) if isinstance(skip, int) else skip
        if first <= number <= last:
            number = last + 1
    return number
