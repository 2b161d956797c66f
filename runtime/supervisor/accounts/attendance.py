"""Follows for an agent without a process whether a program is attached in its place.

The gateway has the programs and says which agents have one. To the lifecycle such an agent has a
process that never ends by itself: it is ready while a program is attached, and starting else.
"""

from __future__ import annotations

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.lifecycle import NOBODY_ATTACHED, Ready, Waiting

REASON = "nobody attached"


def attend(account: Account, attached: bool) -> None:
    """Have an agent without a process follow whether a program is attached; others need not."""
    state = account.child.state
    if not account.spec.is_attached or state.phase not in (Phase.STARTING, Phase.RUNNING):
        return
    if attached and state.phase is Phase.STARTING:
        account.child.post(Ready(state.incarnation))
    elif not attached and (state.phase is Phase.RUNNING or state.cause != NOBODY_ATTACHED):
        account.child.post(Waiting(state.incarnation, REASON, NOBODY_ATTACHED))
