"""Copies the journal's file while it is in use, and restores a copy.

A copy is made by SQLite's backup interface, within one transaction that reads: without it the
copy would begin anew whenever something is stored meanwhile. Writers are not held up; only their
log grows until it is done.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from ipc.files import sync_directory
from runtime.gateway.journal import schema
from runtime.gateway.journal.database import version_of
from runtime.gateway.journal.reader import connect
from runtime.gateway.journal.replacing import (
    RESTORED,
    UNFINISHED,
    beside,
    finish_replacement,
    remove_unfinished,
    replace_journal,
)

PATTERN = "journal-*.db"
STEP_PAGES = 2048  # 8 MiB
COMPARED_BYTES = 1024 * 1024  # at once
ROOM_BYTES = 64 * 1024 * 1024  # must be left on the disk beside a copy
ABANDONED_SECONDS = 3600.0  # a process that makes a copy writes to it all the time
# What came after a copy may be missing in it: clients are told a gap there. What was to be sent may
# have been sent since: no worker that has begun it can be asked, as if it had died.
DOUBTS = {
    "account": """
UPDATE account SET place = json_set(place, '$.whole', json('false')) WHERE json_valid(place)
""",
    "outgoing": """
UPDATE outgoing SET state = 'attempting',
  row = json_set(row, '$.state', 'attempting', '$.incarnation', 0)
WHERE state IN ('queued', 'attempting') AND json_valid(row)
""",
}
# Where incarnations are named, in the columns of each table; a row may be damaged.
INCARNATIONS = {"pack": "incarnation"} | {
    table: f"CASE WHEN json_valid({column}) THEN {column}->>'incarnation' END"
    for table, column in (("account", "place"), ("outgoing", "row"), ("run", "row"))
}


class UnusableCopy(Exception):
    """A file cannot replace the journal; the text is the reason."""


def name_of_copy(seconds: float) -> str:
    """Return the name of a copy made at ``seconds`` since the epoch; names sort by age."""
    return time.strftime("journal-%Y%m%dT%H%M%SZ.db", time.gmtime(seconds))


def copies_in(directory: Path) -> list[Path]:
    """Return the finished copies in a directory, the oldest first.

    What a clock that was ahead has made counts as older than all others: it would never go, and
    always seem to be the newest.
    """
    now = time.time()
    return sorted(directory.glob(PATTERN), key=lambda path: (time_of(path) <= now, path.name))


def time_of(copied: Path) -> float:
    """Return the time as of which a copy has everything, in epoch seconds."""
    try:
        return copied.stat().st_mtime
    except FileNotFoundError:  # removed meanwhile
        return float("inf")


def is_same(one: Path, other: Path) -> bool:
    """Return whether two copies have the same content: nothing was stored between them."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(COMPARED_BYTES):
            if block != second.read(COMPARED_BYTES):
                return False
    return True


def remove_abandoned(directory: Path, now: float) -> None:
    """Remove the beginnings of copies whose making was killed; ``now`` is epoch seconds."""
    for left in directory.glob(f"{PATTERN}{UNFINISHED}*"):
        with contextlib.suppress(FileNotFoundError):
            if now - left.stat().st_mtime > ABANDONED_SECONDS:
                left.unlink()


def copy(
    path: Path,
    target: Path,
    go_on: Callable[[], None] = lambda: None,
    change: Callable[[sqlite3.Connection], None] = lambda copied: None,
) -> int:
    """Copy the journal at ``path`` to ``target``, atomically; return its size in bytes.

    Its owner alone may read it. ``go_on()`` is called between two steps, and ends the copy by
    raising something. That comes out of here, or ``OSError`` or ``sqlite3.Error``; then nothing
    is left. ``change(copied)`` changes the copy before it is complete.
    """
    size = path.stat().st_size
    if free_bytes(target.parent) < size + ROOM_BYTES:
        raise OSError(f"{target.parent} has no room for {size} bytes")
    unfinished = beside(target, UNFINISHED)
    remove_unfinished(target)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            contextlib.closing(connect(path)) as source,
            contextlib.closing(connect(unfinished)) as copied,
        ):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            source.backup(copied, pages=STEP_PAGES, progress=lambda *_: go_on())
            change(copied)
            # Else each reader of the copy would leave two more files beside it.
            copied.execute("PRAGMA journal_mode=DELETE").fetchall()
        synchronize(unfinished)
        unfinished.rename(target)
    finally:
        remove_unfinished(target)
    sync_directory(target.parent)
    return target.stat().st_size


def restore(
    source: Path, path: Path, reserve: Callable[[int], None] = lambda newest: None
) -> Path | None:
    """Replace the journal at ``path`` by a copy; return where the replaced one is now.

    Nothing may have the journal open. ``reserve(newest)`` is called before, with the largest
    incarnation in the copy: those to come must be larger, and another host counts its own. Raises
    ``UnusableCopy``, and as ``copy`` does. After a kill the journal is the former one or the copy,
    as soon as it is opened.
    """
    check(source)
    reserve(newest_incarnation(source))
    finish_replacement(path)
    fresh, existed = beside(path, RESTORED), path.exists()
    copy(source, fresh, change=_doubt)
    try:
        aside = replace_journal(path, RESTORED)
    except OSError:
        if existed and path.exists():  # nothing has moved, and nothing is to move later
            fresh.unlink(missing_ok=True)
        raise
    return aside if existed else None


def check(source: Path) -> None:
    """Raise ``UnusableCopy`` unless a file is an intact journal of a known version."""
    if not source.is_file():
        raise UnusableCopy(f"{source} is no file")
    try:
        with contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as copied:
            (application,) = copied.execute("PRAGMA application_id").fetchone()
            version = version_of(copied)
            (sound,) = copied.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise UnusableCopy(f"{source} cannot be read: {error}") from None
    if application != schema.APPLICATION:
        raise UnusableCopy(f"{source} is no journal of Trunkline")
    if version > schema.VERSION:
        raise UnusableCopy(
            f"{source} has version {version}, and this Trunkline knows {schema.VERSION}: "
            "restore it with the Trunkline that wrote it"
        )
    if sound != "ok":
        raise UnusableCopy(f"{source} is damaged: {sound}")


def _doubt(copied: sqlite3.Connection) -> None:
    """Mark in a copy what may be otherwise by now."""
    tables = _tables_in(copied)
    for table, statement in DOUBTS.items():
        if table in tables:
            copied.execute(statement)


def _tables_in(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def newest_incarnation(source: Path) -> int:
    """Return the largest incarnation that is named in a journal of any version."""
    newest = 0
    with contextlib.closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as copied:
        tables = _tables_in(copied)
        for table, named in INCARNATIONS.items():
            if table in tables:
                query = f"SELECT ifnull(max(CAST({named} AS INTEGER)), 0) FROM {table}"  # noqa: S608 - our own names
                newest = max(newest, *copied.execute(query).fetchone())
    return newest


def free_bytes(directory: Path) -> int:
    """Return how many bytes the disk of a directory has room for."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def synchronize(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
