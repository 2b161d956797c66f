"""Replaces the journal's file by another one, so that a kill at any moment loses neither.

The new file is made under a name that ends in ``UNFINISHED``, and gets one of the names in
``FORMER`` once it is complete. With that it is decided: what a kill cuts off, the next start
finishes. A log of the former file must not stay, because SQLite would take it for the new one's.
"""

from __future__ import annotations

from pathlib import Path

from ipc.files import move_aside, sync_directory
from runtime.gateway.journal.search_file import remove_index

REPAIRED, RESTORED = ".repaired", ".restored"  # behind the journal's name
FORMER = {REPAIRED: "damaged", RESTORED: "replaced"}  # what the former file is called then
UNFINISHED = ".unfinished"
BESIDE = ("-wal", "-shm")


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file whose name is that of ``path`` and a suffix."""
    return path.with_name(path.name + suffix)


def has_journal(path: Path) -> bool:
    """Return whether there is a journal, be it one whose replacement a kill has cut off."""
    return any(beside(path, suffix).exists() for suffix in ("", *FORMER))


def replace_journal(path: Path, suffix: str) -> Path:
    """Put the complete file with a suffix in the journal's place; return the former one's path.

    Called again after a kill, it does what is left. Raises ``OSError``.
    """
    fresh = beside(path, suffix)
    aside = move_aside(path, FORMER[suffix], BESIDE, at=fresh.stat().st_mtime)
    remove_index(path)
    fresh.rename(path)
    sync_directory(path.parent)
    return aside


def finish_replacement(path: Path) -> bool:
    """Finish a replacement that a kill has cut off; return whether there was one.

    Files that were not completed are removed. Nothing else may use the journal. Raises ``OSError``.
    """
    found = [suffix for suffix in FORMER if beside(path, suffix).exists()]
    for suffix in FORMER:
        remove_unfinished(beside(path, suffix))
    for suffix in found:
        replace_journal(path, suffix)
    return bool(found)


def remove_unfinished(target: Path) -> None:
    """Remove what was to become the file ``target``."""
    for end in ("", "-journal", *BESIDE):
        left = beside(target, UNFINISHED + end)
        if left.exists():  # on a read-only disk no missing file can be removed either
            left.unlink(missing_ok=True)
