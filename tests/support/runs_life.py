"""A scripted agent for tests of runs: the turns that it was given, and their results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ipc.frames.status import AccountStatus
from runtime.gateway.accounts.rows import Accounts
from runtime.gateway.runs.runs import Runs
from runtime.gateway.runs.turn_table import ResumedTurn
from workers.agent import Final, Turn, TurnEvent, TurnOutcome

AGENT = "echo"
KEY = f"agent:{AGENT}"

Script = Callable[[dict[str, Any]], TurnOutcome | None]


def echo(turn: dict[str, Any]) -> TurnOutcome | None:
    """Answer as the echo agent does."""
    return final(f"echo: {turn['text']}")


def final(text: str) -> TurnOutcome:
    """Return the end of a turn with an answer."""
    return TurnOutcome("final", Final(text))


def error(kind: Any, retry_after: float | None = None) -> TurnOutcome:
    """Return the end of a turn with an error."""
    return TurnOutcome("error", kind=kind, error="why", retry_after=retry_after)


class ScriptedAgent:
    """The turns that an agent was given. ``script`` says how each ends; ``None``: not yet.

    It has the face of the gateway's turn link. ``here`` is its incarnation, 0 while it is away.
    """

    def __init__(self, accounts: Accounts, script: Script = echo) -> None:
        self.script = script
        self.here = 1
        self.runs: Runs | None = None
        self.accounts = accounts
        self.turns: list[tuple[str, dict[str, Any]]] = []
        self.acknowledged: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self.named: bool = False
        self.awaited: set[str] = set()
        self._listeners: dict[str, Any] = {}
        self._seq: dict[str, int] = {}

    def incarnation_of(self, agent: str) -> int:
        return self.here

    def begin(self, agent: str, turn: Turn, listener: Any, *, attempt: int = 1) -> None:
        assert agent.startswith("agent:")
        name = f"{attempt}:{turn.run}"
        self._follow(name, msgspec.to_builtins(turn), listener)

    def _follow(self, name: str, decoded: dict[str, Any], listener: Any) -> None:
        self.turns.append((name, decoded))
        self._listeners[name] = listener
        outcome = self.script(decoded)
        if outcome is not None:
            asyncio.get_running_loop().call_soon(self.ends, name, outcome)

    def resume(self, turn: ResumedTurn, listener: Any) -> None:
        if self.here and turn.incarnation != self.here:
            listener.on_death(turn.seen)
        else:
            name = f"{turn.attempt}:{turn.run}"
            self._seq[name] = turn.after
            unknown = {"run": turn.run, "text": ""}
            held = next((each for known, each in self.turns if known == name), unknown)
            self._follow(name, held, listener)

    def on_all_resumed(self, awaited: Iterable[str] = ()) -> None:
        self.named = True
        self.awaited = set(awaited)

    def release(self, run: str) -> None:
        self.awaited.discard(run)

    def acknowledge(self, run: str, seq: int, *, attempt: int | None = None) -> None:
        self.acknowledged.append((f"{attempt}:{run}", seq))

    def cancel(self, run: str) -> None:
        self.cancelled.append(run)

    def yields(self, turn: str, *events: TurnEvent) -> None:
        """Deliver events of a turn."""
        last = self._seq[turn] = self._seq.get(turn, 0) + len(events)
        self._listeners[turn].on_events(list(events), last)

    def ends(self, turn: str, outcome: TurnOutcome) -> None:
        """End a turn."""
        self._listeners[turn].on_end(outcome, self._seq.get(turn, 0) + 1)

    def report(self, incarnation: int, phase: str, *, wanted: bool = True) -> None:
        """Report the agent's row as the supervisor does."""
        assert self.runs is not None
        row = AccountStatus(KEY, "agent", AGENT, phase, incarnation=incarnation, wanted=wanted)
        self.accounts.apply(KEY, row)
        self.runs.on_report(KEY)

    def dies(self) -> None:
        """End this incarnation; ``comes`` starts the next one."""
        self.report(self.here, "backoff")
        self.here = 0

    def comes(self, incarnation: int) -> None:
        """Start the next incarnation."""
        assert self.runs is not None
        self.here = incarnation
        self.report(incarnation, "running")
        self.runs.on_agent_ready(KEY, incarnation)

    @property
    def names(self) -> list[str]:
        """The names of its turns, in their order."""
        return [name for name, _ in self.turns]
