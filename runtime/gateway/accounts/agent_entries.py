"""Keeps the configured agents, and which agent answers for which account. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.config.timers import HeartbeatConfig

NOBODY = "none"  # instead of an agent's id: the gateway's clients answer


class AgentEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One agent, as the supervisor reports it.

    ``name`` is for people, ``label`` identifies it to them: its model or its address. ``repeat``
    is what becomes of a turn whose agent died, ``timeout_seconds`` how long a turn may take,
    ``max_concurrent`` how many of its turns may run at once; ``None``: as many as ``share``.
    Without a ``process`` it takes none: it is there without any configuration, and no account asks
    it.
    ``attached``: a client answers in its place. ``lacks`` names what a turn may ask for and the
    agent takes no notice of.
    """

    kind: str
    name: str | None = None
    label: str = ""
    repeat: str = "unseen"
    timeout_seconds: float = 600.0
    max_concurrent: int | None = None
    process: bool = True
    heartbeat: HeartbeatConfig | None = None
    attached: bool = False
    lacks: list[str] = []


class AgentEntries(msgspec.Struct, frozen=True, rename="camel"):
    """All agents by id, ``accounts`` the one of each account that is known by its key.

    ``lines`` is where that is set, of the accounts of which it is. ``default`` answers for the
    others. ``max_concurrent`` turns run at the same time.
    """

    default: str = NOBODY
    max_concurrent: int = 100
    accounts: dict[str, str] = {}
    lines: dict[str, str] = {}
    entries: dict[str, AgentEntry] = msgspec.field(
        default_factory=lambda: {"echo": AgentEntry("echo")}
    )

    @property
    def share(self) -> int:
        """How many turns an agent without a limit of its own may run at once. It is part of all
        turns, so that an agent that hangs leaves some to the others.
        """
        asked = sum(each.process or each.attached for each in self.entries.values())
        return self.max_concurrent - (self.max_concurrent // 4 if asked > 1 else 0)

    @property
    def limits(self) -> dict[str, int]:
        """How many turns each agent with a limit of its own may run, by its id."""
        return {
            agent: each.max_concurrent
            for agent, each in self.entries.items()
            if each.max_concurrent is not None
        }

    def agent_of(self, account: str) -> str | None:
        """Return the id of the agent that answers for an account, or ``None``."""
        agent = self.accounts.get(account, self.default)
        return None if agent == NOBODY else agent

    def kind_of(self, agent: str | None) -> str | None:
        """Return the kind of an agent, or ``None`` if it is not listed."""
        entry = None if agent is None else self.entries.get(agent)
        return None if entry is None else entry.kind


def entries_in(config: Mapping[str, Any]) -> AgentEntries:
    """Parse the supervisor's report of agents; raises the errors of msgspec."""
    return msgspec.convert(config, AgentEntries)
