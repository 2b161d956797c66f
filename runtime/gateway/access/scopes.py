"""What a client may do: roles and operator scopes (PROTOCOL.md 1.5)."""

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
SUPERVISOR = "supervisor"  # ours alone: given for the token of this boot, never by asking


def covers(granted: Iterable[str], needed: str | None) -> bool:
    """Say whether ``granted`` suffices: admin includes everything, write includes read."""
    granted = frozenset(granted)
    return (
        needed is None
        or needed in granted
        or ADMIN in granted
        or (needed == READ and WRITE in granted)
    )
