"""Defines the interfaces of other parts of the gateway that its runs use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from runtime.config.sessions import QueueConfig
from runtime.gateway.accounts.agents import Agents
from runtime.gateway.jobs import Jobs
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.runs import Run
from runtime.gateway.outbox.lending import FileLending
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.runs.sessions import SessionCache
from runtime.gateway.runs.turn_table import ResumedTurn
from workers.agent import Turn


class TurnTaking(Protocol):
    """Interface of the object that sends turns to agents (``runtime.gateway.runs.turns``)."""

    def incarnation_of(self, agent: str) -> int:
        """Return the incarnation of an agent that takes turns; 0 for none."""

    def begin(self, agent: str, turn: Turn, listener: Any, *, attempt: int = 1) -> None:
        """Send a turn to an agent; raises ``ValueError`` if it is too large."""

    def resume(self, turn: ResumedTurn, listener: Any) -> None:
        """Resume a turn that an earlier gateway has sent."""

    def on_all_resumed(self, awaited: Iterable[str] = ()) -> None:
        """Allow agents to drop turns without ``resume``, except first ones of ``awaited`` runs."""

    def release(self, run: str) -> None:
        """Allow agents to drop the first turn of an awaited run."""

    def acknowledge(self, run: str, seq: int, *, attempt: int | None = None) -> None:
        """Acknowledge the stored events of a run."""

    def cancel(self, run: str) -> None:
        """Cancel the turn of a run."""


class RunLinks(msgspec.Struct, frozen=True):
    """The parts of the gateway that runs use.

    ``journal()`` is the journal once it is open, ``flush_soon`` ends the loop's turn,
    ``abilities(key)`` are those of an account's channel, ``queue(run)`` is how a run waits,
    ``silent_groups()`` whether agents may keep silent in groups, ``files`` brings those of
    messages to agents and back.
    """

    journal: Callable[[], Journal | None]
    flush_soon: Callable[[], None]
    agents: Agents
    turns: TurnTaking
    outbox: Outbox
    sessions: SessionCache
    jobs: Jobs
    abilities: Callable[[str], dict[str, Any]]
    queue: Callable[[Run], QueueConfig]
    silent_groups: Callable[[], bool]
    files: FileLending = msgspec.field(default_factory=FileLending)
