"""Reads from the journal's file which runs are over, for traces. It blocks.

It runs in a process of its own, beside the gateway that writes the file. Each look opens the file
and closes it, within milliseconds: so it holds up no checkpoint, and finds a file that was repaired
or put back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.previews import preview_key

LOOK_RUNS = 200  # new ones that one look takes

# ``n`` counts runs in the order of their acceptance.
_LAST_BEFORE = "SELECT ifnull(max(n), 0) FROM run WHERE at < ?"
_NEWEST = "SELECT ifnull(max(n), 0) FROM run"
_NEW = "SELECT n, open, row FROM run WHERE n > ? ORDER BY n LIMIT ?"
_AGAIN = """
SELECT n, open, row FROM run WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n
"""
_SENT = """
SELECT row FROM outgoing WHERE account = (SELECT n FROM account WHERE key = ?) AND key IN (?, ?)
ORDER BY n
"""

_read_run = msgspec.json.Decoder(Run).decode
_read_row = msgspec.json.Decoder(OutgoingRow).decode
_encode = msgspec.json.Encoder().encode


class JournalUnreadable(Exception):
    """The journal's file cannot be read now: it is being made, locked or damaged."""


class EndedRun(NamedTuple):
    """A run that is over, with everything that its chat was to get: its number, itself, rows."""

    number: int
    run: Run
    rows: list[OutgoingRow]


class Look(NamedTuple):
    """What one look has found.

    ``waiting`` are the numbers of runs that are not over yet, ``position`` is that of the newest
    run that was seen; ``unreadable`` counts rows that are none. ``more``: others follow.
    """

    ended: list[EndedRun]
    waiting: list[int]
    position: int
    unreadable: int
    more: bool


class JournalSource:
    """The journal's file at ``path``, which another process writes, and may not have made yet.

    What it reads raises ``JournalUnreadable``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def position_before(self, at: int) -> int:
        """Return the number of the newest run that was accepted, or ended, before ``at``."""
        if not self._path.exists():
            return 0
        with self._opened() as connection:
            return int(connection.execute(_LAST_BEFORE, (at,)).fetchone()[0])

    def look(self, position: int, waiting: Collection[int]) -> Look:
        """Look at the runs after ``position``, and again at those that are ``waiting``."""
        if not self._path.exists():
            return Look([], [*waiting], position, 0, more=False)
        with self._opened() as connection:
            newest = int(connection.execute(_NEWEST).fetchone()[0])
            after = min(position, newest)  # the file is a new one, or nothing is left in it
            new = connection.execute(_NEW, (after, LOOK_RUNS)).fetchall()
            asked = _encode([*waiting]).decode()
            again = connection.execute(_AGAIN, (asked,)).fetchall() if waiting else []
            ended: list[EndedRun] = []
            waits: list[int] = []  # what is not found any more was pruned or erased
            unreadable = 0
            for number, is_open, row in [*again, *new]:
                try:
                    found = None if is_open else self._ended(connection, number, _read_run(row))
                except msgspec.DecodeError:
                    unreadable += 1
                    continue
                if found is None:
                    waits.append(number)
                else:
                    ended.append(found)
        reached = new[-1][0] if new else after
        return Look(ended, waits, reached, unreadable, more=len(new) == LOOK_RUNS)

    def _ended(self, connection: sqlite3.Connection, number: int, run: Run) -> EndedRun | None:
        """Return a run with its answer, ``None`` while that is not over."""
        rows: list[OutgoingRow] = []
        if run.reply is not None:
            keys = (run.reply.account, f"run:{run.id}", preview_key(run.id))
            rows = [_read_row(row) for (row,) in connection.execute(_SENT, keys)]
        if any(row.is_open for row in rows):
            return None
        return EndedRun(number, run, rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        place = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            opened = sqlite3.connect(place, uri=True, isolation_level=None, timeout=5.0)
            with closing(opened) as connection:
                yield connection
        except sqlite3.Error as error:
            raise JournalUnreadable(str(error)) from None
