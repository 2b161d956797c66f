"""Rewrites stored frames: without the contents of some, without what remained of others.

It blocks, and belongs on the writer's thread. SQLite overwrites what is no longer used of a page,
and pages that are not used any more (``secure_delete``); an older state of them stays in the log
until that begins anew (https://sqlite.org/pragma.html#pragma_secure_delete).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from runtime.gateway.journal import schema
from runtime.gateway.journal.records import Answered, Place, Record, read_body
from runtime.gateway.journal.redacting import Rewritten, emptied, redacted, remains_bytes

STEP_ROWS = 20  # that one step of emptying looks at

_json = msgspec.json.Encoder().encode
_body = msgspec.msgpack.Encoder().encode

PACKS_AFTER = """
SELECT pos, incarnation, last, body FROM pack WHERE account = ? AND (incarnation, last) > (?, ?)
ORDER BY incarnation, last LIMIT ?
"""
BODIES = "SELECT account, body FROM pack WHERE pos IN (SELECT value FROM json_each(?))"


class Rewrites(NamedTuple):
    """New bodies by the positions of their rows, and by how much an account has more withheld."""

    bodies: dict[int, bytes]
    grown: dict[int, int]

    @property
    def statement(self) -> tuple[str, tuple[bytes, str]]:
        """The statement that stores them, which looks each row up by its position."""
        at, rows = 1, []
        for pos, body in self.bodies.items():
            rows.append((pos, at, len(body)))
            at += len(body)
        return schema.REWRITE, (b"".join(self.bodies.values()), _json(rows).decode())

    def add(self, pos: int, account: int, found: Rewritten) -> None:
        """Add a row as it is to be."""
        self.bodies[pos] = _body((found.flags, found.payloads))
        self.grown[account] = self.grown.get(account, 0) + found.grown


def withholding(place: Place, grown: int) -> Place:
    """Return an account's place when so much more is kept of redacted messages, or less."""
    return replace(place, withheld=max(0, place.withheld + grown))


def redactions_in(
    connection: Any, records: Iterable[Record], places: Mapping[str, Place]
) -> Rewrites:
    """Return what the redactions of some records make of the rows that are stored."""
    found = Rewrites({}, {})
    drops: dict[tuple[int, int], dict[int, str]] = {}
    for record in records:
        if isinstance(record, Answered) and record.redactions and record.key in places:
            account = places[record.key].number
            for (incarnation, number), reason in record.redactions:
                drops.setdefault((account, incarnation), {})[number] = reason
    if not drops:
        return found
    asked = [(*which, number) for which, numbers in drops.items() for number in numbers]
    rows = connection.execute(schema.PACKS_OF, (_json(asked).decode(),)).fetchall()
    for pos, account, incarnation, first, body in rows:
        flags, payloads = read_body(body)
        left = redacted(first, flags, payloads, drops[account, incarnation])
        if left.flags != flags:
            found.add(pos, account, left)
    return found


def withheld_in(connection: Any, rows: list[int]) -> dict[int, int]:
    """Return how much of rows of frames counts against the quota, by the numbers of accounts."""
    found: dict[int, int] = {}
    for account, body in connection.execute(BODIES, (_json(rows).decode(),)):
        found[account] = found.get(account, 0) + remains_bytes(*read_body(body))
    return found


def oldest_remains(
    connection: Any, place: Place, after: tuple[int, int]
) -> tuple[Rewrites, tuple[int, int] | None]:
    """Return an account's next rows without what remained in them.

    The other result is the position of the next step, ``None`` at the end.
    """
    found = Rewrites({}, {})
    query = (place.number, *after, STEP_ROWS)
    rows = connection.execute(PACKS_AFTER, query).fetchall()
    for pos, _, _, body in rows:
        left = emptied(*read_body(body))
        if left.grown:
            found.add(pos, place.number, left)
    return found, (rows[-1][1], rows[-1][2]) if rows else None
