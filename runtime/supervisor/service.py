"""Tells the service manager how it goes: the sign of life, and the accounts in one line."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.supervisor.supervisor import Supervisor

PACE = 1.0  # seconds: what changes faster is told once
ORDER = ("running", "starting", "stopping", "backoff", "failed", "stopped")


def summary(supervisor: Supervisor) -> str:
    """Return one line: the gateway's phase, and how many accounts are in which."""
    counts = Counter(account.phase.value for account in supervisor.accounts.values())
    accounts = ", ".join(f"{counts[phase]} {phase}" for phase in ORDER if counts[phase])
    gateway = supervisor.front.child.state.phase.value
    return f"gateway {gateway}; accounts: {accounts or 'none'}"


async def tell(supervisor: Supervisor) -> None:
    """Tell until cancelled. It runs on the supervisor's loop: when that hangs, so does this."""
    notifier = supervisor.notifier
    if not notifier.wanted:
        return
    pace = min(PACE, notifier.watchdog or PACE)
    while True:
        notifier.alive()
        if not supervisor.stopping:
            notifier.status(summary(supervisor))
        await asyncio.sleep(pace)
