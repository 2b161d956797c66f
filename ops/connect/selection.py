"""Selects accounts by the arguments of a command: keys, channel names, or all. Pure.

An agent is not an account: only its own key (``agent:main``) selects it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ipc.frames.words import AGENT, ID, is_agent
from ops.exits import UnknownName, UsageFailure

EVERY = "*"


def targets(keys: Sequence[str] | None, everything: bool) -> list[str]:
    """Return the targets of a request, ``*`` for all accounts.

    Raises ``UsageFailure`` unless exactly one of KEY and ``--all`` was given.
    """
    check_named(keys, everything, "accounts (irc:libera) or channels (irc)")
    return [EVERY] if everything else list(dict.fromkeys(keys or ()))


def check_named(names: Sequence[str] | None, everything: bool, what: str) -> None:
    """Raise ``UsageFailure`` unless either names (of ``what``) or ``--all`` were given."""
    if names and everything:
        raise UsageFailure(f"name {what} or say --all, not both")
    if not names and not everything:
        raise UsageFailure(f"name {what}, or say --all")


def chosen(rows: Iterable[dict[str, Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows that ``wanted`` names; those of all accounts if it is empty.

    Raises ``OperatorError`` for an unknown name.
    """
    rows = list(rows)
    names = wanted or [EVERY]
    unknown = [name for name in wanted if not any(matches(row["account"], [name]) for row in rows)]
    if unknown:
        agent = is_agent(unknown[0])
        keys = [row["account"] for row in rows if is_agent(row["account"]) is agent]
        raise UnknownName("agent" if agent else "account or channel", unknown[0], keys)
    return [row for row in rows if matches(row["account"], names)]


def matches(key: str, wanted: Sequence[str]) -> bool:
    """Return whether ``wanted`` selects ``key``: as a key, a channel or ``*``."""
    if is_agent(key):
        return key in wanted
    return any(name in (EVERY, key, key.partition(":")[0]) for name in wanted)


def agent_key(name: str) -> str:
    """Return the key of an agent for its id or its key.

    Raises ``UsageFailure`` if it is neither.
    """
    bare = name.removeprefix(f"{AGENT}:")
    if not ID.match(bare):
        raise UsageFailure(f"{name!r} is not an agent; write its id, like main")
    return f"{AGENT}:{bare}"


def split(key: str) -> tuple[str, str]:
    """Split a key into channel and account id; raises ``UsageFailure`` if it is malformed."""
    channel, colon, account = key.partition(":")
    if not (channel and colon and account):
        raise UsageFailure(f"{key!r} is not an account; write CHANNEL:NAME, like irc:libera")
    return channel, account
