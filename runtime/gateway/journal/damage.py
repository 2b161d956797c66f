"""Distinguishes a damaged SQLite file from one that is temporarily unusable. Pure."""

from __future__ import annotations

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")  # and the extended codes that begin alike


def is_damage(error: BaseException) -> bool:
    """Return whether an SQLite error means that the file's content is damaged.

    A full disk, a lock, a missing right and an I/O error say nothing of the content: a copy put
    in such a file's place would lose what is in it (https://sqlite.org/rescode.html).
    """
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED)
