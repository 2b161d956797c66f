"""Defines the roles and scopes of clients, and which scope includes which. Pure."""

from __future__ import annotations

from collections.abc import Iterable

READ = "operator.read"
WRITE = "operator.write"
ADMIN = "operator.admin"
PAIRING = "operator.pairing"
ALL = frozenset(
    {
        READ,
        WRITE,
        ADMIN,
        "operator.approvals",
        "operator.questions",
        PAIRING,
        "operator.talk",
        "operator.talk.secrets",
    }
)

OPERATOR = "operator"
NODE = "node"
SUPERVISOR = "supervisor"  # ours alone: granted for the token of this boot, never on request


def covers(granted: Iterable[str], needed: str | None) -> bool:
    """Return whether ``granted`` includes ``needed``: admin includes all, write includes read."""
    granted = frozenset(granted)
    return (
        needed is None
        or needed in granted
        or ADMIN in granted
        or (needed == READ and WRITE in granted)
    )
