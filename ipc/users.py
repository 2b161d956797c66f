"""Names users of this host, for sentences and commands."""

from __future__ import annotations

import pwd


def user_name(uid: int) -> str:
    """Return the name of a user; without an entry in the passwd file its number, as ``ls`` does.

    A container has no entry for most users of its host. ``chown`` takes either.
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
