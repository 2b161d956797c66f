"""Answers for the echo agent that is there without any configuration, and has no process.

To everything else of runs it is an agent like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from runtime.gateway.runs.links import TurnTaking
from workers.agent import Final, Turn, TurnOutcome

PRESENT = 1  # its incarnation: it does not die


class EmbeddedEcho:
    """The turns of all agents by ``link``, but for those of which ``is_embedded(key)`` is true."""

    def __init__(self, link: TurnTaking, is_embedded: Callable[[str], bool]) -> None:
        self._link = link
        self._is_embedded = is_embedded
        self._loop = asyncio.get_running_loop()

    def incarnation_of(self, agent: str) -> int:
        """Return the incarnation of an agent that takes turns; 0 for none."""
        return PRESENT if self._is_embedded(agent) else self._link.incarnation_of(agent)

    def begin(self, agent: str, turn: Turn, listener: Any, *, attempt: int = 1) -> None:
        """Have an agent take a turn; raises ``ValueError`` for one that is too large."""
        if self._is_embedded(agent):
            text = f"echo: {turn.text}" if turn.text else ""
            # Nothing has to be acknowledged: asked again, it says the same.
            self._loop.call_soon(listener.ended, TurnOutcome("final", Final(text)), 0)
        else:
            self._link.begin(agent, turn, listener, attempt=attempt)

    def resume(
        self,
        agent: str,
        turn: Turn,
        listener: Any,
        *,
        incarnation: int,
        after: int,
        seen: bool,
        attempt: int = 1,
    ) -> None:
        """Go on with a turn that an earlier gateway has sent."""
        if self._is_embedded(agent):
            self.begin(agent, turn, listener, attempt=attempt)
        else:
            self._link.resume(
                agent,
                turn,
                listener,
                incarnation=incarnation,
                after=after,
                seen=seen,
                attempt=attempt,
            )

    def resumed_all(self) -> None:
        """Have agents forget what no ``resume`` has named."""
        self._link.resumed_all()

    def acknowledge(self, run: str, seq: int, *, attempt: int | None = None) -> None:
        """Acknowledge what of a run is stored."""
        self._link.acknowledge(run, seq, attempt=attempt)

    def cancel(self, run: str) -> None:
        """Have a turn cancelled."""
        self._link.cancel(run)
