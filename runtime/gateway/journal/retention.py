"""Deletes data beyond the limits of age and size, in small steps.

Called on the writer's thread between commits, so each step is short. What a consumer has not
settled stays, and so do the ids of messages for as long as a platform may send them again. A run
that has not ended stays however old it is.
"""

from __future__ import annotations

import time
from itertools import accumulate, takewhile
from typing import Any

import msgspec

from runtime.gateway.journal import schema
from runtime.gateway.journal.age_clock import AgeClock, arrival_times
from runtime.gateway.journal.interface import Keep
from runtime.gateway.journal.outgoing import KEY_SECONDS
from runtime.gateway.journal.records import Place
from runtime.gateway.journal.redacting import QUOTA_BYTES
from runtime.gateway.journal.rewriting import oldest_remains, withheld_in, withholding
from runtime.gateway.journal.runs import RUN_SECONDS
from runtime.gateway.journal.search_file import remove_unused_index

STEP_ROWS = 100
STEP_IDS = 2000  # 2 µs each; a row holds up to 64
ID_SECONDS = 7 * 86400.0
IDS = 100_000  # of one account
UNSETTLED_SECONDS = 3600.0  # what is older is not answered any more
CHECK_SECONDS = 60.0  # between checks when there was nothing to delete

OLDEST_IDS = "SELECT pos, account, at, count, ids FROM ids ORDER BY pos LIMIT ?"
OLDEST_IDS_OF = (
    "SELECT pos, account, at, count, ids FROM ids WHERE account = ? ORDER BY pos LIMIT ?"
)
OLDEST_PACKS = (
    "SELECT pos, account, incarnation, last, at FROM pack WHERE pos > ? ORDER BY pos LIMIT ?"
)
NEWEST = """
SELECT max(ifnull((SELECT at FROM pack ORDER BY pos DESC LIMIT 1), 0),
  ifnull((SELECT at FROM ids ORDER BY pos DESC LIMIT 1), 0),
  ifnull((SELECT at FROM entry ORDER BY n DESC LIMIT 1), 0))
"""
# The first row behind some whose clock was not ahead.
FOLLOWING = {
    table: f"SELECT at FROM {table} WHERE {key} > ? AND at <= ? ORDER BY {key} LIMIT 1"  # noqa: S608 - our own names
    for table, key in (("pack", "pos"), ("ids", "pos"), ("entry", "n"))
}


class Retention:
    """Deletes data by age and by size; ``clock()`` returns epoch seconds."""

    def __init__(self, keep: Keep | None = None, clock: Any = time.time) -> None:
        self._keep = keep or Keep()
        self._clock = clock
        self._ages = AgeClock(clock)
        self._looked = 0.0
        self._after = 0  # the last row that was checked and stays
        self._emptied: dict[str, tuple[int, int]] = {}  # up to where nothing remains to be emptied

    def set_keep(self, keep: Keep) -> None:
        """Set other limits; safe to call from another thread."""
        self._keep = keep
        self._looked = 0.0

    def step(self, database: Any) -> bool:
        """Delete a little; return whether there is more. Raises ``sqlite3.Error``.

        It checks seldom while there is nothing to delete.
        """
        looked = self._clock()
        if 0 <= looked - self._looked < CHECK_SECONDS:
            return False
        if not self._ages.has_begun:
            (newest,) = database.connection.execute(NEWEST).fetchone()
            self._ages.begin(newest / 1000 if newest else None)
        now = self._ages.read()
        if (
            self._delete_ids(database, now)
            or self._empty_remains(database)
            or self._delete_entries(database, now)
            or self._delete_packs(database, now)
            or self._delete_rows(database, now)
        ):
            return True
        self._looked, self._after = looked, 0
        self._emptied.clear()
        remove_unused_index(database.path, looked)
        return False

    def _delete_ids(self, database: Any, now: float) -> bool:
        places = {place.number: place for place in database.places.values()}
        too_many = next((each for each in places.values() if each.known > IDS), None)
        rows = database.connection.execute(OLDEST_IDS, (STEP_ROWS,)).fetchall()
        times = _times(database, "ids", [(row[0], row[2]) for row in rows], now)
        limit = (now - ID_SECONDS) * 1000
        old = [row for row, at in zip(rows, times, strict=True) if at < limit]
        if not old and too_many is not None:
            query = (too_many.number, STEP_ROWS)
            old = database.connection.execute(OLDEST_IDS_OF, query).fetchall()
        if not old:
            return False
        old = _first_rows(old)
        changed: dict[int, Place] = {}
        for _, account, _, count, _ in old:
            place = changed.get(account) or places.get(account)
            if place is not None:
                left = max(0, place.known - count)
                changed[account] = msgspec.structs.replace(place, known=left)
        database.delete_ids([(row[0], row[1], row[4]) for row in old], list(changed.values()))
        return True

    def _empty_remains(self, database: Any) -> bool:
        """Empty the oldest redacted messages of an account above its quota."""
        places = database.places.values()
        place = next((each for each in places if each.withheld > QUOTA_BYTES), None)
        if place is None:
            return False
        after = self._emptied.get(place.key, (0, 0))
        rewrites, next_after = oldest_remains(database.connection, place, after)
        grown = rewrites.grown.get(place.number, 0)
        if next_after is None:  # what was counted is not there: a repaired file, say
            grown = -place.withheld
        else:
            self._emptied[place.key] = next_after
        if grown:
            database.rewrite(rewrites, withholding(place, grown))
        return True

    def _delete_packs(self, database: Any, now: float) -> bool:
        keep, places = self._keep, {each.number: each for each in database.places.values()}
        too_large = database.size_bytes > keep.size_bytes
        old: list[int] = []
        changed: dict[int, Place] = {}
        rows = database.connection.execute(OLDEST_PACKS, (self._after, STEP_ROWS)).fetchall()
        times = _times(database, "pack", [(row[0], row[4]) for row in rows], now)
        for (pos, account, incarnation, last, _), at in zip(rows, times, strict=True):
            place = changed.get(account) or places.get(account)
            if not too_large and at >= (now - keep.seconds) * 1000:
                break
            self._after = pos
            if place is not None and _is_awaited(place, (incarnation, last), at, now):
                continue
            old.append(pos)
            if place is not None:
                floor = max(place.floor or (0, 0), (incarnation, last))
                changed[account] = msgspec.structs.replace(place, floor=floor)
        if old:
            if any(place.withheld for place in changed.values()):
                for account, size in withheld_in(database.connection, old).items():
                    if account in changed:
                        changed[account] = withholding(changed[account], -size)
            database.delete_packs(old, list(changed.values()))
            self._after = 0 if len(old) == len(rows) else self._after
        return bool(old) or (len(rows) == STEP_ROWS and self._after == rows[-1][0])

    def _delete_entries(self, database: Any, now: float) -> bool:
        """Delete old entries of transcripts, and all entries of deleted ones.

        When the journal is too large, also those that are older than the oldest messages.
        """
        ask, keep = database.connection.execute, self._keep
        old = [n for (n,) in ask(schema.GONE_ENTRIES, (STEP_ROWS,))]
        if not old:
            ask("DELETE FROM gone WHERE true")  # without WHERE a page is written for nothing, too
            limit = (now - keep.seconds) * 1000
            if database.size_bytes > keep.size_bytes:
                (oldest,) = ask(schema.OLDEST_PACK).fetchone() or (now * 1000 + 1,)
                limit = max(limit, oldest)
            rows = ask(schema.OLDEST_ENTRIES, (STEP_ROWS,)).fetchall()
            times = _times(database, "entry", rows, now)
            count = sum(1 for _ in takewhile(lambda at: at < limit, times))
            old = [n for n, _ in rows[:count]]
        if old:
            database.delete_rows(schema.FORGET_ENTRIES, old)
        return bool(old)

    def _delete_rows(self, database: Any, now: float) -> bool:
        """Delete sends and runs with reusable keys, old dead letters, and empty sessions."""
        keep = self._keep.seconds
        kinds = (
            (schema.OLD_SENDS, KEY_SECONDS, schema.FORGET_OUTGOING),
            (schema.OLD_LETTERS, keep, schema.FORGET_OUTGOING),
            (schema.OLD_RUNS, RUN_SECONDS, schema.FORGET_RUNS),
            (schema.OLD_SESSIONS, keep, schema.FORGET_SESSIONS),
        )
        more = False
        for query, seconds, forget in kinds:
            limits = ((now - seconds) * 1000, STEP_ROWS)
            old = [n for (n,) in database.connection.execute(query, limits)]
            if old:
                database.delete_rows(forget, old)
                more = True
        return more


def _times(database: Any, table: str, rows: list[tuple[int, int]], now: float) -> list[int]:
    """Return when rows (number, time) of a table have come, also where the clock was ahead."""
    times, following, limit = [at for _, at in rows], None, int(now * 1000)
    if times and times[-1] > limit:
        query = (rows[-1][0], limit)
        found = database.connection.execute(FOLLOWING[table], query).fetchone()
        following = None if found is None else int(found[0])
    return arrival_times(times, limit, following)


def _first_rows(rows: list[Any]) -> list[Any]:
    """Return the first rows of ``ids`` with ``STEP_IDS`` ids in total, at least one."""
    held = list(accumulate(row[3] for row in rows))
    return rows[: 1 + sum(count < STEP_IDS for count in held)]


def _is_awaited(place: Place, cursor: tuple[int, int], at: int, now: float) -> bool:
    """Return whether a consumer has yet to settle what the row holds."""
    unsettled = place.settled is not None and cursor > place.settled
    return unsettled and at > (now - UNSETTLED_SECONDS) * 1000
