"""Reads ended runs and sent messages from the journal's file, for traces. It blocks.

It runs in a process of its own, beside the gateway that writes the file. Each scan opens the file
and closes it, within milliseconds: so it holds up no checkpoint, and finds a file that was repaired
or put back.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from runtime.gateway.journal.outgoing import OutgoingRow
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.previews import answer_key, preview_key
from runtime.gateway.telemetry.spans import Trace, trace_of, trace_of_send

SCAN_ROWS = 200  # new ones that one scan reads

# ``n`` counts rows in the order of their acceptance. A row that is none of these is NULL.
_RUNS = "SELECT n, open, '', row FROM run"
_SENDS = """
SELECT n, state IN ('queued', 'attempting'), (SELECT key FROM account WHERE n = outgoing.account),
  iif(ifnull(row->>'origin', 'send') IN ('send', 'queue'), row, NULL)
FROM outgoing
"""
_SENT = """
SELECT row FROM outgoing WHERE account = (SELECT n FROM account WHERE key = ?) AND key IN (?, ?)
ORDER BY n
"""

_read_run = msgspec.json.Decoder(Run).decode
_read_row = msgspec.json.Decoder(OutgoingRow).decode
_encode = msgspec.json.Encoder().encode


class JournalUnreadable(Exception):
    """Raised if the journal's file cannot be read now: it is being made, locked or damaged."""


class EndedRow(Protocol):
    """Interface of an ended run or message: its number in its table, and its trace."""

    @property
    def number(self) -> int:
        """The number of its row."""

    @property
    def over_at(self) -> int:
        """When everything of it was over, in epoch milliseconds."""

    @property
    def trace(self) -> Trace:
        """Its trace."""


class EndedRun(NamedTuple):
    """A run that is over, with everything that its chat was to get: its number, itself, rows."""

    number: int
    run: Run
    rows: list[OutgoingRow]

    @property
    def over_at(self) -> int:
        """When everything of it was over, in epoch milliseconds."""
        return max([self.run.ended, *(row.ended for row in self.rows)])

    @property
    def trace(self) -> Trace:
        """Its trace."""
        return trace_of(self.run, self.rows)


class EndedSend(NamedTuple):
    """A message that a client has sent, and that is over: its number, its account, its row."""

    number: int
    account: str
    row: OutgoingRow

    @property
    def over_at(self) -> int:
        """When it was over, in epoch milliseconds."""
        return self.row.ended

    @property
    def trace(self) -> Trace:
        """Its trace."""
        return trace_of_send(self.account, self.row)


class Scan(NamedTuple):
    """The result of one scan.

    ``waiting`` are the numbers of rows that are not over yet, ``position`` is that of the newest
    row that was seen; ``unreadable`` counts rows that are none. ``more``: others follow.
    """

    ended: Sequence[EndedRow]
    waiting: list[int]
    position: int
    unreadable: int
    more: bool


class JournalSource(ABC):
    """One table of the journal's file, which another process writes, and may not have made yet.

    What it reads raises ``JournalUnreadable``.
    """

    table: str
    rows: str  # the statement that reads them: n, whether it is open, its account, the row

    def __init__(self, path: Path) -> None:
        self._path = path

    @abstractmethod
    def read_ended(
        self, connection: sqlite3.Connection, number: int, account: str, row: str
    ) -> EndedRow | None:
        """Return the content of a row, ``None`` until it and everything of it have ended.

        Raises ``msgspec.DecodeError`` for a row that is none.
        """

    def position_before(self, at: int) -> int:
        """Return the number of the newest row that was accepted, or ended, before ``at``."""
        if not self._path.exists():
            return 0
        last = f"SELECT ifnull(max(n), 0) FROM {self.table} WHERE at < ?"  # noqa: S608 - ours
        with self._open() as connection:
            return int(connection.execute(last, (at,)).fetchone()[0])

    def poll(self, position: int, waiting: Collection[int]) -> Scan:
        """Read the rows after ``position``, and again those that are ``waiting``."""
        if not self._path.exists():
            return Scan([], [*waiting], position, 0, more=False)
        with self._open() as connection:
            newest = f"SELECT ifnull(max(n), 0) FROM {self.table}"  # noqa: S608 - ours
            # The file may be a new one, or nothing is left in it.
            after = min(position, int(connection.execute(newest).fetchone()[0]))
            behind = f"{self.rows} WHERE n > ? ORDER BY n LIMIT ?"
            new = connection.execute(behind, (after, SCAN_ROWS)).fetchall()
            asked = _encode([*waiting]).decode()
            named = f"{self.rows} WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n"  # noqa: S608
            again = connection.execute(named, (asked,)).fetchall() if waiting else []
            ended: list[EndedRow] = []
            waits: list[int] = []  # what is not found any more was pruned or erased
            unreadable = 0
            for number, is_open, account, row in [*again, *new]:
                if row is None:
                    continue
                try:
                    found = None if is_open else self.read_ended(connection, number, account, row)
                except msgspec.DecodeError:
                    unreadable += 1
                    continue
                if found is None:
                    waits.append(number)
                else:
                    ended.append(found)
        reached = new[-1][0] if new else after
        return Scan(ended, waits, reached, unreadable, more=len(new) == SCAN_ROWS)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        place = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            opened = sqlite3.connect(place, uri=True, isolation_level=None, timeout=5.0)
            with closing(opened) as connection:
                yield connection
        except sqlite3.Error as error:
            raise JournalUnreadable(str(error)) from None


class RunSource(JournalSource):
    """The runs. One is over once the last of its answer is."""

    table, rows = "run", _RUNS

    def read_ended(
        self, connection: sqlite3.Connection, number: int, account: str, row: str
    ) -> EndedRun | None:
        """Return a run with the rows of its answer, ``None`` until all have ended."""
        run, rows = _read_run(row), list[OutgoingRow]()
        if run.reply is not None:
            keys = (run.reply.account, answer_key(run.id), preview_key(run.id))
            rows = [_read_row(row) for (row,) in connection.execute(_SENT, keys)]
        return None if any(row.is_open for row in rows) else EndedRun(number, run, rows)


class SendSource(JournalSource):
    """The messages that clients have sent. Those of runs belong to these."""

    table, rows = "outgoing", _SENDS

    def read_ended(
        self, connection: sqlite3.Connection, number: int, account: str, row: str
    ) -> EndedSend | None:
        """Return a sent message, whose row has ended."""
        return EndedSend(number, account, _read_row(row))
