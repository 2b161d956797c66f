"""Reacts to changes of workers and the gateway: start queue, reports, events, crash storms."""

from __future__ import annotations

import msgspec

from ipc.frames.words import Phase, is_agent
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.attendance import attend
from runtime.supervisor.parts import Parts


def account_changed(parts: Parts, account: Account) -> None:
    """Give up an account's start place if it is down, and report its row to all clients."""
    phase = account.phase
    if phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
        parts.starts.leave(account.key)
    elif phase is Phase.STOPPING:
        parts.starts.withdraw(account.key)  # where it still waits for its turn
        parts.channel_zygotes.withdraw(account.key)
    parts.storm.changed(account)
    attend(account, account.key in parts.links.attached)
    row = account.status()
    parts.reports.changed(account.key, row)
    name = "agent.status" if account.spec.is_agent else "channel.status"
    parts.broadcast(name, msgspec.to_builtins(row))


def account_met(parts: Parts, account: Account) -> None:
    """Give up the start place of a worker that has sent its hello, and apply the current limits."""
    parts.starts.leave(account.key)
    account.bind()  # the configuration may be another than at its start


def account_removed(parts: Parts, key: str, last: int) -> None:
    """Forget a removed account or agent, and report it; ``last``: its last incarnation."""
    parts.link.forget(key, last)
    parts.history.forget(key)
    parts.logs.forget(key)
    parts.reports.changed(key, None)
    parts.broadcast("agent.removed" if is_agent(key) else "channel.removed", {"account": key})


def gateway_changed(parts: Parts) -> None:
    """Report the gateway's row; if it keeps failing, request a check of the zygote."""
    state = parts.gateway.child.state
    if state.phase is Phase.BACKOFF and state.failures > 1:
        parts.storm.doubt()
    if not parts.gateway.connected:
        parts.links.gateway_lost()
    parts.reports.common()
    parts.broadcast("gateway.status", msgspec.to_builtins(parts.gateway.status()))
