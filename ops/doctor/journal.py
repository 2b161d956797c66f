"""Checks the journal: it is intact, not too large, and nothing in it has waited long to be sent."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ops.doctor.facts import Facts
from ops.doctor.finding import Finding, Severity
from runtime.gateway.journal.copies import copies_in
from runtime.gateway.journal.damage import is_damage
from runtime.gateway.journal.interface import COPIES, FILE
from runtime.gateway.journal.replacing import BESIDE

CHECKED_BYTES = 32 << 20  # a larger journal would take seconds to be read
LATE_SECONDS = 900.0
# By the beginning of SQLite's name of an error that is no damage.
UNSEEN = {
    "SQLITE_FULL": "make room on the disk",
    "SQLITE_IOERR": "make room on the disk (df), or look at the disk itself (dmesg)",
    "SQLITE_BUSY": "wait until nothing else holds it",
    "SQLITE_LOCKED": "wait until nothing else holds it",
    "SQLITE_PERM": "run this as the user to whom the state belongs",
    "SQLITE_AUTH": "run this as the user to whom the state belongs",
    "SQLITE_READONLY": "run this as the user to whom the state belongs",
    "SQLITE_CANTOPEN": "run this as the user to whom the state belongs, with the daemon up",
    "PermissionError": "run this as the user to whom the state belongs",
}
_OLDEST = "SELECT min(at), count(*) FROM outgoing WHERE state IN ('queued', 'attempting')"


def integrity(facts: Facts) -> Iterator[Finding]:
    """Find a damaged journal. A large one is left to the gateway, which also repairs.

    Only errors that SQLite finds in the file are damage. A journal that cannot be read now may be
    intact, and replacing it by an older copy would lose messages.
    """
    path = facts.places.state_dir / FILE
    try:
        if path.stat().st_size > CHECKED_BYTES:
            return
        # Once more where it is not whole: a gateway may have begun to write between the two.
        if (said := _checked(path)) != "ok":
            said = _checked(path)
    except FileNotFoundError:
        return
    except (OSError, sqlite3.Error) as error:
        yield _unseen(path, error)
        return
    if said != "ok":
        copies = copies_in(facts.places.state_dir / COPIES)
        yield Finding(
            "journal.integrity",
            Severity.ERROR,
            f"the journal is damaged: {said}",
            str(path),
            f"trunkline down; trunkline restore {shlex.quote(str(copies[-1]))}, then up"
            if copies
            else "trunkline gateway restart: it goes on with what can be read of it",
        )


def _checked(path: Path) -> str:
    """Return the errors that SQLite finds in a journal, or "ok"; raises if it cannot be read."""
    try:
        with closing(_reader(path)) as database:
            return str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return str(error)


def _unseen(path: Path, error: OSError | sqlite3.Error) -> Finding:
    """Return the finding for a journal that could not be read and may be intact."""
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    cures = [cure for begin, cure in UNSEEN.items() if code.startswith(begin)]
    return Finding(
        "journal.integrity",
        Severity.WARNING,
        f"the journal could not be checked: {error}",
        str(path),
        f"{cures[0] if cures else 'look at its disk (dmesg)'}; then `trunkline doctor` again",
    )


def undelivered(facts: Facts) -> Iterator[Finding]:
    """Find messages that have waited long to be sent."""
    path = facts.places.state_dir / FILE
    try:
        with closing(_reader(path)) as database:
            oldest, count = database.execute(_OLDEST).fetchone()
    except (OSError, sqlite3.Error):  # none, or what the check before this one finds
        return
    waits = facts.now - (oldest or 0) / 1000
    if count and waits > LATE_SECONDS:
        yield Finding(
            "journal.undelivered",
            Severity.WARNING,
            f"{count} message{'' if count == 1 else 's'} wait to be sent, the oldest for"
            f" {waits / 60:.0f} minutes",
            str(path),
            "`trunkline status` shows whether the account is down, or its platform takes nothing",
        )


def size(facts: Facts) -> Iterator[Finding]:
    """Find a journal above its size limit: nothing has been removed lately."""
    if facts.loaded is None:
        return
    path = facts.places.state_dir / FILE
    try:
        found = path.stat().st_size
    except OSError:
        return
    allowed = facts.loaded.config.journal.keep.bytes
    if found > 1.5 * allowed:
        yield Finding(
            "journal.size",
            Severity.WARNING,
            f"the journal has {found >> 20} MiB, and may keep {allowed >> 20}",
            str(path),
            "`trunkline logs gateway` shows why nothing is removed",
        )


def _reader(path: Path) -> sqlite3.Connection:
    """Open a journal read-only, without creating or changing files beside it.

    The write-ahead log and its index exist while a program uses the journal, and after a kill: then
    they are read, too, the index read-only. Without a log the file is complete and does not change,
    so it is opened as immutable (https://sqlite.org/wal.html, "Read-Only Databases").
    """
    log, index = (path.with_name(f"{path.name}{end}") for end in BESIDE)
    unused = not index.exists() and not (log.exists() and log.stat().st_size)
    how = "immutable=1" if unused else "readonly_shm=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&{how}", uri=True, timeout=0.5)
