"""Which accounts were meant: keys, channel names, all of them, or a mistake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ops.exits import OperatorError, UsageFailure

EVERY = "*"


def targets(keys: Sequence[str] | None, everything: bool) -> list[str]:
    """Return what to ask for; one of KEY and ``--all`` must be there, and not both."""
    if bool(keys) == everything:
        raise UsageFailure("name accounts (irc:libera) or channels (irc), or say --all")
    return [EVERY] if everything else list(dict.fromkeys(keys or ()))


def chosen(rows: Iterable[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows that ``wanted`` names; all of them when it names none.

    Raises ``OperatorError`` for a name that no account has.
    """
    rows = list(rows)
    unknown = [name for name in wanted if not any(matches(row["account"], [name]) for row in rows)]
    if unknown:
        known = ", ".join(row["account"] for row in rows) or "none"
        raise OperatorError(f"unknown account or channel {unknown[0]!r}; known: {known}")
    return [row for row in rows if not wanted or matches(row["account"], wanted)]


def matches(key: str, wanted: Sequence[str]) -> bool:
    """Say whether ``key`` is one of ``wanted``, by itself or by its channel."""
    return any(name in (EVERY, key, key.partition(":")[0]) for name in wanted)


def split(key: str) -> tuple[str, str]:
    """Return channel and account id of a key; a usage error when it is not one."""
    channel, colon, account = key.partition(":")
    if not (channel and colon and account):
        raise UsageFailure(f"{key!r} is not an account; write CHANNEL:NAME, like irc:libera")
    return channel, account
