"""Reacts to changes of workers and the gateway: start queue, reports, events, crash storms."""

from __future__ import annotations

import msgspec

from ipc.frames.words import Phase, is_agent
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.attendance import post_attachment
from runtime.supervisor.parts import Parts


def on_account_changed(parts: Parts, account: Account) -> None:
    """Release an account's start place if it is down, and report its row to all clients."""
    phase = account.phase
    if phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
        parts.starts.release(account.key)
    elif phase is Phase.STOPPING:
        parts.starts.withdraw(account.key)  # where it still waits for its turn
        parts.channel_zygotes.withdraw(account.key)
    parts.storm.on_account_changed(account)
    post_attachment(account, account.key in parts.links.attached)
    row = account.status()
    parts.reports.queue_row(account.key, row)
    name = "agent.status" if account.spec.is_agent else "channel.status"
    parts.broadcast(name, msgspec.to_builtins(row))


def on_account_hello(parts: Parts, account: Account) -> None:
    """Release the start place of a worker that has sent its hello, and apply current limits."""
    parts.starts.release(account.key)
    account.bind()  # the configuration may be another than at its start


def on_account_removed(parts: Parts, key: str, last: int) -> None:
    """Drop a removed account or agent, and report that; ``last``: its last incarnation."""
    parts.link.forget(key, last)
    parts.history.delete(key)
    parts.logs.forget(key)
    parts.reports.queue_row(key, None)
    parts.broadcast("agent.removed" if is_agent(key) else "channel.removed", {"account": key})


def on_gateway_changed(parts: Parts) -> None:
    """Report the gateway's row; if it keeps failing, request a check of the zygote."""
    state = parts.gateway.child.state
    if state.phase is Phase.BACKOFF and state.failures > 1:
        parts.storm.check_soon()
    if not parts.gateway.connected:
        parts.links.on_gateway_lost()
    parts.reports.mark_common()
    parts.broadcast("gateway.status", msgspec.to_builtins(parts.gateway.status()))
