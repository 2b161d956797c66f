"""Names the file of the journal's search index, and removes it.

It is made again when it is asked for, so it goes whenever it may hold what the journal does not:
when a person is erased, when the journal is replaced or repaired, and after a day without a search.
"""

from __future__ import annotations

from pathlib import Path

UNUSED_SECONDS = 86400.0


def index_of(journal: Path) -> Path:
    """Return where the index of a journal is."""
    return journal.with_name(f"{journal.stem}-search.db")


def remove_index(journal: Path) -> None:
    """Remove the index of a journal. What has it open goes on with a file of no name."""
    index = index_of(journal)
    for suffix in ("", "-wal", "-shm"):
        index.with_name(index.name + suffix).unlink(missing_ok=True)


def remove_unused_index(journal: Path, now: float) -> None:
    """Remove the index of a journal that was not asked for a day; ``now`` is epoch seconds."""
    try:
        used = index_of(journal).stat().st_mtime
    except FileNotFoundError:
        return
    if now - used > UNUSED_SECONDS:
        remove_index(journal)
