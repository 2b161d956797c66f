"""Distinguishes a damaged SQLite file from one that is temporarily unusable. Pure."""

from __future__ import annotations

import msgspec

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")  # and the extended codes that begin alike
_NO_TEXT = "Could not decode to UTF-8"  # by Python's module, without a code


def is_damage(error: BaseException) -> bool:
    """Return whether an SQLite error means that the structure of the file is damaged.

    A full disk, a lock, a missing right and an I/O error say nothing of the content: a copy put
    in such a file's place would lose what is in it (https://sqlite.org/rescode.html).
    """
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGED)


def is_malformed(error: BaseException) -> bool:
    """Return whether an error may mean that a stored value is damaged, in a sound file.

    SQLite keeps no checksums, so a changed byte of a row shows only where the row is used: as JSON
    that is none, in our code or in a statement, or as a text of a trigger that is none. The
    statements are constant, but a mistake of ours would look the same.
    """
    return (
        isinstance(error, msgspec.DecodeError | UnicodeDecodeError)
        or getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"
        or str(error).startswith(_NO_TEXT)
    )
