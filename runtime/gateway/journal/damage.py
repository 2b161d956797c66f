"""Tells a damaged SQLite file from one that only cannot be used now. Pure."""

from __future__ import annotations

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")  # and the extended codes that begin alike


def is_damage(error: BaseException) -> bool:
    """Return whether SQLite found the content of a file wrong.

    A full disk, a lock, a missing right and an I/O error say nothing of the content: a copy put
    in such a file's place would lose what is in it (https://sqlite.org/rescode.html).
    """
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED)
