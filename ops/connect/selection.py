"""Selects accounts by what was typed: keys, channel names, or all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ops.exits import OperatorError, UsageFailure

EVERY = "*"


def targets(keys: Sequence[str] | None, everything: bool) -> list[str]:
    """Return the targets of a request, ``*`` for all accounts.

    Raises ``UsageFailure`` unless exactly one of KEY and ``--all`` was typed.
    """
    if bool(keys) == everything:
        raise UsageFailure("name accounts (irc:libera) or channels (irc), or say --all")
    return [EVERY] if everything else list(dict.fromkeys(keys or ()))


def chosen(rows: Iterable[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the accounts that ``wanted`` names; all rows when it is empty.

    Raises ``OperatorError`` for a name that no account has.
    """
    rows = list(rows)
    unknown = [name for name in wanted if not any(matches(row["account"], [name]) for row in rows)]
    if unknown:
        known = ", ".join(row["account"] for row in rows) or "none"
        raise OperatorError(f"unknown account or channel {unknown[0]!r}; known: {known}")
    return [row for row in rows if not wanted or matches(row["account"], wanted)]


def matches(key: str, wanted: Sequence[str]) -> bool:
    """Return whether ``wanted`` names ``key``, by itself, by its channel or by ``*``."""
    return any(name in (EVERY, key, key.partition(":")[0]) for name in wanted)


def split(key: str) -> tuple[str, str]:
    """Return channel and account id of a key; raises ``UsageFailure`` when it is none."""
    channel, colon, account = key.partition(":")
    if not (channel and colon and account):
        raise UsageFailure(f"{key!r} is not an account; write CHANNEL:NAME, like irc:libera")
    return channel, account
