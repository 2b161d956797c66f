"""Keeps which agents the configuration lists, and which one answers for whom. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.config.timers import HeartbeatConfig

NOBODY = "none"  # instead of an agent's id: the gateway's clients answer


class AgentEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One agent, as the supervisor reports it.

    ``name`` is for people, ``label`` identifies it to them: its model or its address. ``repeat``
    is what becomes of a turn whose agent died, ``timeout_seconds`` how long a turn may take.
    Without a ``process`` it takes none: it is there without any configuration, and no account asks
    it.
    ``attached``: a client answers in its place.
    """

    kind: str
    name: str | None = None
    label: str = ""
    repeat: str = "unseen"
    timeout_seconds: float = 600.0
    process: bool = True
    heartbeat: HeartbeatConfig | None = None
    attached: bool = False


class AgentEntries(msgspec.Struct, frozen=True, rename="camel"):
    """All agents by id, ``accounts`` the one of each account that is known by its key.

    ``default`` answers for the others. ``max_concurrent`` turns run at the same time.
    """

    default: str = NOBODY
    max_concurrent: int = 100
    accounts: dict[str, str] = {}
    entries: dict[str, AgentEntry] = msgspec.field(
        default_factory=lambda: {"echo": AgentEntry("echo")}
    )

    def agent_of(self, account: str) -> str | None:
        """Return the id of the agent that answers for an account, ``None``: none does."""
        agent = self.accounts.get(account, self.default)
        return None if agent == NOBODY else agent

    def kind_of(self, agent: str | None) -> str | None:
        """Return the kind of an agent, ``None`` for one that is not listed."""
        entry = None if agent is None else self.entries.get(agent)
        return None if entry is None else entry.kind


def entries_in(config: Mapping[str, Any]) -> AgentEntries:
    """Return the entries in what the supervisor reports; raises what msgspec raises."""
    return msgspec.convert(config, AgentEntries)
