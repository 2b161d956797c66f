"""Counts what needs a person's attention, beside the phases of accounts: ``attention``. Ours.

The answer has a few hundred bytes, so that clients may ask every few seconds; the lists behind the
counts have methods of their own.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ipc.epoch import now_ms
from ipc.frames.requests import NoParams
from ipc.frames.status import AccountStatus
from runtime.config.access_policy import admits_nobody, closed_doors
from runtime.gateway.access.scopes import READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import method
from runtime.gateway.parts import GatewayParts

MOST_LETTERS = 1000  # that are counted
# Why a message that an empty list keeps out is not answered.
KEPT_OUT = ("dm-not-listed", "group-not-listed", "group-off", "sender-not-listed")


@method("attention", READ, NoParams, ours=True)
async def attention(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with what waits for a person. `deadLetters` are counted by state (the first thousand),
    `pairing` counts requests of strangers, and `closed` has the accounts with a list that admits
    nobody, and how many messages that has left unanswered in the last 24 hours: 0 for one that
    answers nobody at all and has got none.
    """
    states = Counter(row.state for _, row in await parts.dead_letters.oldest(MOST_LETTERS))
    closed = {
        key: number
        for key, row in parts.accounts.rows.items()
        if (number := _count_dropped(parts, row)) is not None
    }
    return {
        "deadLetters": {"count": states.total(), "states": dict(states)},
        "pairing": await _waiting(parts),
        "closed": [{"account": key, "messages": number} for key, number in closed.items()],
    }


async def _waiting(parts: GatewayParts) -> int:
    """Return the number of strangers who wait to be admitted, as far as the journal is open."""
    if not parts.intake.ready:
        return 0
    now, number = now_ms(), 0
    for key in list(parts.accounts.rows):
        if parts.gatekeeper.policy_of(key).dm == "pairing":
            people = await parts.gatekeeper.people_of(key)
            number += sum(person.waits(now) for person in people.values())
    return number


def _count_dropped(parts: GatewayParts, row: AccountStatus) -> int | None:
    """Return the number of messages dropped because an account's list admits nobody.

    ``None`` if there is no fault: nothing was dropped, and the account admits a sender.
    """
    key = row.account
    dropped = parts.gatekeeper.dropped.of(key, now_ms())
    number = sum(dropped.get(reason, 0) for reason in KEPT_OUT)
    if not (number or row.wanted) or not parts.reception.is_answered(key):
        return None
    policy = parts.gatekeeper.policy_of(key)
    concerned = closed_doors(policy) if number else admits_nobody(policy)
    return number if concerned else None
