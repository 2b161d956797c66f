"""Decides which sessions may begin a turn: one turn each, fairly, within the limits. Pure.

A session that has something to do is ``queued``; ``begin_due`` grants turns in the order in which
sessions asked. Once its turn has ``ended``, a session that was queued meanwhile goes to the end of
the line, so that a busy one delays the others by one turn at most. An agent that runs as many
turns as it may keeps nobody waiting but its own sessions. The order inside a session is that of
its ``SessionQueue``. Times are epoch milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Mapping


class _Lane:
    """One session. It requests a turn not before ``at``; ``None`` if it requests none."""

    __slots__ = ("agent", "at", "number", "running")

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.at: int | None = None
        self.number = 0
        self.running = False


class Lanes:
    """All sessions that have or request a turn, by key.

    ``limit`` is how many turns run at once, ``per_agent`` how many of one agent that ``of_agents``
    does not name.
    """

    def __init__(
        self, limit: int, per_agent: int, of_agents: Mapping[str, int] | None = None
    ) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._running: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        # Both are cleaned lazily: by time, and by agent in order.
        self._later: list[tuple[int, int, str]] = []
        self._lines: dict[str, list[tuple[int, str]]] = {}
        self.configure(limit, per_agent, of_agents)

    def configure(
        self, limit: int, per_agent: int, of_agents: Mapping[str, int] | None = None
    ) -> None:
        """Apply other limits. Turns already running above them go on."""
        self._limit = limit
        self._per_agent = per_agent
        self._of_agents = dict(of_agents or {})

    @property
    def running(self) -> int:
        """How many turns run."""
        return self._running.total()

    @property
    def waiting(self) -> int:
        """How many sessions request a turn."""
        return sum(lane.at is not None for lane in self._lanes.values())

    def request(self, session: str, agent: str, at: int = 0) -> None:
        """Record that a session requests a turn, not before ``at``.

        Asked again it keeps its place in the line, and ``at`` is the new one.
        """
        lane = self._lanes.setdefault(session, _Lane(agent))
        if lane.at is None:
            lane.number = next(self._numbers)
        lane.at = at
        if not lane.running:
            lane.agent = agent
            self._push(session, lane)

    def forget_times(self) -> None:
        """Make every requested turn due at once, because the clock was set."""
        for session, lane in self._lanes.items():
            if lane.at is not None:
                lane.at = 0
                if not lane.running:
                    self._push(session, lane)

    def restore(self, session: str, agent: str) -> None:
        """Record that a session has a turn that began before a restart."""
        lane = self._lanes.setdefault(session, _Lane(agent))
        if not lane.running:
            lane.agent, lane.running = agent, True
            self._running[agent] += 1

    def withdraw(self, session: str) -> None:
        """Record that a session requests no turn any more: its waiting messages were aborted."""
        lane = self._lanes.get(session)
        if lane is not None:
            lane.at = None
            self._forget(session, lane)

    def end(self, session: str) -> None:
        """Record that the turn of a session has ended, in whatever way."""
        lane = self._lanes.get(session)
        if lane is None or not lane.running:
            return
        lane.running = False
        self._running[lane.agent] -= 1
        if lane.at is not None:
            lane.number = next(self._numbers)
            self._push(session, lane)
        self._forget(session, lane)

    def begin_due(self, now: int) -> list[str]:
        """Return the sessions that begin a turn now; their turns count as running."""
        while self._later and self._later[0][0] <= now:
            at, number, session = heapq.heappop(self._later)
            lane = self._current(session, number)
            if lane is not None and lane.at == at:
                heapq.heappush(self._lines.setdefault(lane.agent, []), (number, session))
        taken: list[str] = []
        while self.running < self._limit and (first := self._pop_first(now)) is not None:
            lane = self._lanes[first]
            lane.running, lane.at = True, None
            self._running[lane.agent] += 1
            taken.append(first)
        return taken

    def next_due(self) -> int | None:
        """Return when to call ``begin_due`` again if nothing else happens; ``None``: not needed."""
        while self._later:
            at, number, session = self._later[0]
            lane = self._current(session, number)
            if lane is not None and lane.at == at:
                return at
            heapq.heappop(self._later)
        return None

    def has_turn(self, session: str) -> bool:
        """Return whether a turn of the session runs."""
        lane = self._lanes.get(session)
        return lane is not None and lane.running

    def ahead(self, session: str) -> int | None:
        """Return how many sessions of its agent go first; ``None`` if it requests no turn."""
        lane = self._lanes.get(session)
        if lane is None or lane.at is None:
            return None
        return sum(
            each.at is not None and each.agent == lane.agent and each.number < lane.number
            for each in self._lanes.values()
        )

    def why_waiting(self, session: str) -> str | None:
        """Return a sentence about what a session waits for; ``None`` if it requests no turn."""
        lane = self._lanes.get(session)
        if lane is None or lane.at is None:
            return None
        if lane.running:
            return "an earlier turn of this session runs"
        if self._running[lane.agent] >= self._allowed(lane.agent):
            return (
                f"the agent {lane.agent} has as many turns as it may: {self._allowed(lane.agent)}"
            )
        if self.running >= self._limit:
            return f"as many turns run as agents.maxConcurrent allows: {self._limit}"
        return "it begins once nothing more comes"

    def _pop_first(self, now: int) -> str | None:
        """Remove and return the session that requested first among those that may begin."""
        best: tuple[int, str] | None = None
        for agent in list(self._lines):
            head = self._head(agent, now)
            if head is not None and self._running[agent] < self._allowed(agent):
                best = head if best is None else min(best, head)
        if best is None:
            return None
        _, session = best
        heapq.heappop(self._lines[self._lanes[session].agent])
        return session

    def _head(self, agent: str, now: int) -> tuple[int, str] | None:
        """Return the first valid entry of an agent's queue; drop outdated ones before it."""
        line = self._lines[agent]
        while line:
            number, session = line[0]
            lane = self._current(session, number)
            if lane is not None and lane.agent == agent and lane.at is not None and lane.at <= now:
                return line[0]
            heapq.heappop(line)
        del self._lines[agent]
        return None

    def _current(self, session: str, number: int) -> _Lane | None:
        """Return the lane of an entry that is not outdated."""
        lane = self._lanes.get(session)
        return lane if lane and lane.number == number and not lane.running else None

    def _allowed(self, agent: str) -> int:
        return self._of_agents.get(agent, self._per_agent)

    def _push(self, session: str, lane: _Lane) -> None:
        if lane.at is not None:
            heapq.heappush(self._later, (lane.at, lane.number, session))

    def _forget(self, session: str, lane: _Lane) -> None:
        if lane.at is None and not lane.running:
            del self._lanes[session]
