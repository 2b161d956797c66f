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

from ipc.files import move_aside, sync_directory
from runtime.gateway.journal import schema
from runtime.gateway.journal.database import version_of
from runtime.gateway.journal.reader import connect
from runtime.gateway.journal.search_file import remove_index

PATTERN = "journal-*.db"
BESIDE = ("-wal", "-shm")
STEP_PAGES = 2048  # 8 MiB
ROOM_BYTES = 64 * 1024 * 1024  # must be left on the disk beside a copy


class UnusableCopy(Exception):
    """A file cannot replace the journal; the text is the reason."""


def name_of_copy(seconds: float) -> str:
    """Return the name of a copy made at ``seconds`` since the epoch; names sort by age."""
    return time.strftime("journal-%Y%m%dT%H%M%SZ.db", time.gmtime(seconds))


def copies_in(directory: Path) -> list[Path]:
    """Return the finished copies in a directory, the oldest first."""
    return sorted(directory.glob(PATTERN))


def copy(path: Path, target: Path, go_on: Callable[[], None] = lambda: None) -> int:
    """Copy the journal at ``path`` to ``target``, atomically; return its size in bytes.

    Its owner alone may read it. ``go_on()`` is called between two steps, and ends the copy by
    raising something. That comes out of here, or ``OSError`` or ``sqlite3.Error``; then nothing
    is left.
    """
    size = path.stat().st_size
    disk = os.statvfs(target.parent)
    if disk.f_bavail * disk.f_frsize < size + ROOM_BYTES:
        raise OSError(f"{target.parent} has no room for {size} bytes")
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            contextlib.closing(connect(path)) as source,
            contextlib.closing(connect(unfinished)) as copied,
        ):
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            source.backup(copied, pages=STEP_PAGES, progress=lambda *_: go_on())
            # Else each reader of the copy would leave two more files beside it.
            copied.execute("PRAGMA journal_mode=DELETE").fetchall()
        _synchronize(unfinished)
        unfinished.rename(target)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    sync_directory(target.parent)
    return target.stat().st_size


def put_back(source: Path, path: Path) -> Path | None:
    """Replace the journal at ``path`` by a copy; return where the replaced one is now.

    Nothing may have the journal open. Raises ``UnusableCopy``, and as ``copy`` does.
    """
    check(source)
    fresh = path.with_name(f"{path.name}.restored")
    copy(source, fresh)
    aside = move_aside(path, "replaced", BESIDE) if path.exists() else None
    remove_index(path)
    fresh.rename(path)
    sync_directory(path.parent)
    return aside


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


def _synchronize(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
