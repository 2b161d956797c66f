"""Tracks whether a program is attached in place of an agent that has no process.

The gateway reports which agents have such a program. For the lifecycle the agent has a process
that never ends by itself: it is ready while a program is attached, and otherwise starting.
"""

from __future__ import annotations

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.lifecycle import NOBODY_ATTACHED, Ready, Waiting

REASON = "nobody attached"


def post_attachment(account: Account, attached: bool) -> None:
    """Post the attachment of a program to an agent without a process; ignore other agents."""
    state = account.child.state
    if not account.spec.is_attached or state.phase not in (Phase.STARTING, Phase.RUNNING):
        return
    if attached and state.phase is Phase.STARTING:
        account.child.post(Ready(state.incarnation))
    elif not attached and (state.phase is Phase.RUNNING or state.cause != NOBODY_ATTACHED):
        account.child.post(Waiting(state.incarnation, REASON, NOBODY_ATTACHED))
