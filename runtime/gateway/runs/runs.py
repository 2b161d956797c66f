"""Keeps all runs that have not ended: adds new ones, begins them in turn, notifies watchers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from ipc import timeouts
from ipc.epoch import SetClock, now_ms
from ipc.errors import RemoteError
from ipc.frames.words import UNAVAILABLE, agent_key
from ipc.memory import FreedMemory
from runtime.gateway.conversations.run_answers import STOP_REASON
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.runs import ENDED_STATES, Recorded, Run, RunQueued
from runtime.gateway.journal.waiting import wait_stored
from runtime.gateway.runs import lifecycle
from runtime.gateway.runs.execution import RunExecution
from runtime.gateway.runs.lifecycle import (
    Abort,
    AgentDied,
    AgentGone,
    AgentReady,
    Begin,
    Expire,
    RunPhase,
)
from runtime.gateway.runs.links import RunLinks
from runtime.gateway.runs.live import LiveRun, RunStep, RunUpdate, with_notice
from runtime.gateway.runs.queues import RunQueues
from runtime.gateway.runs.replies import is_aside
from workers.agent import TurnEvent

# Why a run ends that a newer message interrupts, and one that comes when too many wait.
INTERRUPTED, OVERFLOW = "aborted", "overflow"
RESTARTED = "restart"  # of one whose answer the last gateway has waited for itself
FREED_CHARACTERS = 1 << 20  # of answers that are over, after which their memory is given back
MAX_OPEN = 10_000  # runs of all sessions; more are not begun

Watcher = Callable[[RunUpdate], None]


class Runs:
    """All runs that have not ended. ``ended`` counts earlier ones by how they ended."""

    def __init__(self, links: RunLinks) -> None:
        self.ended: Counter[str] = Counter(dict.fromkeys(ENDED_STATES, 0))
        self._links = links
        self._execution = RunExecution(links, self._notify, self._on_over)
        listed = links.agents.listed
        self._clock = SetClock()
        self._queues = RunQueues(listed.max_concurrent, listed.share, listed.limits)
        self._live: dict[str, LiveRun] = {}
        self._coming: dict[str, LiveRun] = {}  # while they are being stored
        self._watchers: list[Watcher] = []
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self._timer: asyncio.TimerHandle | None = None
        self._whole = False  # what earlier gateways have left is here
        self._begun = asyncio.Event()  # that, or the end of this gateway
        self._left: dict[str, LiveRun] = {}  # that, while it is being read
        self._early: list[LiveRun] = []  # what has come meanwhile
        self._closed = False
        self._freed = FreedMemory(FREED_CHARACTERS)

    def __len__(self) -> int:
        return len(self._live)

    def figures(self) -> dict[str, Any]:
        """Return the numbers of waiting and running runs, and of ended ones by state."""
        running = sum(each.life.phase is RunPhase.RUNNING for each in self._live.values())
        return {
            "waiting": len(self._live) - running,
            "running": running,
            "ended": dict(self.ended),
        }

    async def begin(self, key: str, run: Run, watcher: Watcher | None = None) -> tuple[Run, bool]:
        """Store a run of ``key`` and queue it; return it, and whether its id was known.

        ``watcher`` is called with all that happens to a new one. Raises ``RemoteError`` when there
        is no journal to store it in; on a full disk it begins once there is room again.
        """
        journal = self._links.journal()
        if journal is None or self._closed:
            raise RemoteError(UNAVAILABLE, "the journal is not open yet", retryable=True)
        begun: asyncio.Future[tuple[Run, bool]] = self._loop.create_future()

        def on_stored(outcome: Outcome) -> None:
            known = outcome.runs.get(run.id) if isinstance(outcome, Recorded) else None
            if known is None and run.id not in self._live:
                self._add(key, run, watcher)
                self._start_due()
            else:
                self._coming.pop(run.id, None)
            if not begun.done():
                begun.set_result((known or run, known is not None))

        self.expect(key, run)
        journal.append(RunQueued(key, run), on_stored)
        self._links.flush_soon()
        return await wait_stored(journal, begun)

    def expect(self, key: str, run: Run) -> None:
        """Register a run that is being stored, so that it can be aborted already.

        ``begin`` or ``add`` takes it once it is stored.
        """
        if run.id not in self._live:
            self._coming.setdefault(run.id, LiveRun(key, run))

    def add(self, key: str, runs: Iterable[Run], outcome: Outcome = None) -> None:
        """Add runs that are stored now, except those with an id known before (by ``outcome``)."""
        known = outcome.runs if isinstance(outcome, Recorded) else {}
        for run in runs:
            if run.id in known or run.id in self._live or not run.is_open:
                self._coming.pop(run.id, None)
            else:
                self._add(key, run)
        self._start_due()

    def restore(self, key: str, runs: Iterable[Run]) -> None:
        """Add open runs of ``key`` that an earlier gateway left; ``resume_all`` resumes them."""
        self._left |= {run.id: LiveRun(key, run) for run in runs}

    def resume_all(self) -> None:
        """Resume all loaded runs of earlier gateways; new ones may begin from then on."""
        self._whole = True
        self._begun.set()
        left, self._left = self._left, {}
        for live in list(left.values()):
            for member in [left.pop(each) for each in live.run.collected if each in left]:
                self._execution.merge(member, live)
        self._live |= left
        sessions: dict[str, list[LiveRun]] = {}
        for live in left.values():
            sessions.setdefault(live.run.session, []).append(live)
        for found in sessions.values():
            settings = self._links.queue(found[0].run)
            self._queues.restore([each.run for each in found], settings)
        for live in left.values():
            self._notify(live, "queued")
            if live.run.started:
                self._execution.resume(live)
                self._apply_agent_state(live)
        asides = [run for run, live in left.items() if is_aside(live.run)]
        for run in asides:  # the clients that asked are gone
            self.abort(run, RESTARTED)
            left.pop(run)
        early, self._early = self._early, []
        for live in early:
            if live.run.id not in self._live:
                self._queue_run(live)
        self._start_due()  # what an agent may have of it is named by that
        self._links.turns.on_all_resumed(each.run.id for each in left.values() if each.attempt <= 1)

    def live(self, run: str) -> LiveRun | None:
        """Return a run that has not ended, or ``None``."""
        return self._live.get(run)

    def of_session(self, session: str) -> list[LiveRun]:
        """Return the runs of a session that have not ended, oldest first."""
        known = (*self._live.values(), *self._coming.values())
        return [each for each in known if each.run.session == session]

    def abort(self, run: str, reason: str = STOP_REASON) -> bool:
        """Abort a run; return whether it was open. ``reason`` is kept with it."""
        live = self._live.get(run)
        if live is None and run in self._coming:
            live = self._coming[run]
            was, live.reason = live.reason, live.reason or reason
            return not was  # it ends once it is stored
        if live is None or live.life.phase in lifecycle.OVER:
            return False
        if live.life.phase is RunPhase.QUEUED:
            self._queues.withdraw(live.run)
        live.reason = reason
        self._execution.step(live, Abort())
        return True

    def abort_session(self, session: str, reason: str) -> list[str]:
        """Abort all runs of a session; return their ids."""
        found = [each.run.id for each in self.of_session(session)]
        return [each for each in found if self.abort(each, reason)]

    def watch(self, watcher: Watcher, run: str | None = None) -> Callable[[], None]:
        """Call ``watcher`` with updates of one run, or of all; return a function that ends that."""
        live = None if run is None else self._live.get(run)
        if run is not None and live is None:
            return lambda: None
        watchers = self._watchers if live is None else live.watchers
        watchers.append(watcher)

        def unwatch() -> None:
            with contextlib.suppress(ValueError):
                watchers.remove(watcher)

        return unwatch

    @property
    def whole(self) -> bool:
        """Whether the runs of earlier gateways are resumed, so that new ones may begin."""
        return self._whole and not self._closed

    async def wait_until_whole(self, seconds: float) -> bool:
        """Wait at most ``seconds`` until new runs may begin; return whether they may."""
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(seconds):
                await self._begun.wait()
        return self.whole

    def ending(self, run: str) -> asyncio.Future[Run] | None:
        """Return a future of an open run at its end, or ``None``; the gateway's end cancels it."""
        live = self._live.get(run)
        if live is None:
            return None
        future: asyncio.Future[Run] = self._loop.create_future()
        live.waiting.append(future)
        return future

    async def wait(self, run: str, seconds: float) -> Run | None:
        """Wait at most ``seconds`` for the end of a run; return it, ``None`` if there is none."""
        live = self._live.get(run)
        if live is None:
            journal = self._links.journal()
            return None if journal is None else await journal.run_of(run)
        future = self.ending(run)
        assert future is not None
        with contextlib.suppress(TimeoutError):
            async with timeouts.timeout(seconds):
                return await future
        return live.run

    async def wait_for_room(self) -> None:
        """Wait until fewer than ``MAX_OPEN`` runs are open."""
        await self._room.wait()

    def reconfigure(self) -> None:
        """Apply a changed configuration of agents."""
        listed = self._links.agents.listed
        self._queues.configure(listed.max_concurrent, listed.share, listed.limits)
        for live in list(self._live.values()):
            self._apply_agent_state(live)
        self._start_due()

    def on_report(self, key: str) -> None:
        """Handle a report about the agent with the key ``agent:<id>``."""
        for live in self._of_agent(key):
            self._apply_agent_state(live)

    def on_agent_ready(self, key: str, incarnation: int) -> None:
        """Begin the turns that wait for the agent with this key, which is connected now."""
        for live in self._of_agent(key):
            self._execution.step(live, AgentReady(incarnation, now_ms()))

    def close(self) -> None:
        """Stop all runs: the next gateway resumes those that have not ended."""
        self._closed = True
        self._begun.set()
        self._freed.close()
        self._execution.close()
        for live in self._live.values():
            live.stop_timer()
            for future in live.waiting:
                future.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._room.set()

    def _add(self, key: str, run: Run, watcher: Watcher | None = None) -> None:
        live = self._coming.setdefault(run.id, LiveRun(key, run))
        if watcher is not None:
            live.watchers.append(watcher)
        if not self._whole:
            self._early.append(live)
        elif live.run.id not in self._live:
            self._queue_run(live)

    def _queue_run(self, live: LiveRun) -> None:
        self._live[live.run.id] = live
        self._coming.pop(live.run.id, None)
        if len(self._live) >= MAX_OPEN:
            self._room.clear()
        self._notify(live, "queued")
        arrival = self._queues.add(live.run, self._links.queue(live.run))
        if not arrival.taken:
            live.notice = arrival.notice or ""
        for outcome in arrival.outcomes:
            self.abort(outcome.run, INTERRUPTED if arrival.taken else OVERFLOW)
        if arrival.interrupts is not None:
            self.abort(arrival.interrupts, INTERRUPTED)
        if live.reason:
            self.abort(live.run.id, live.reason)

    def _start_due(self) -> None:
        if self._closed or not self._whole:
            return
        now, step = self._clock.read()
        if step:
            self._queues.forget_times()
        while batches := self._queues.begin_due(now):
            for batch in batches:
                left = self._expire_late([self._live[each.run] for each in batch.messages])
                if not left:
                    continue
                lead, *lead.members = left
                if batch.notice is not None:
                    lead.request = with_notice(lead.request, batch.notice)
                self._begin(lead)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (at := self._queues.next_due()) is not None:
            self._timer = self._loop.call_later(max(at - now, 1) / 1000, self._start_due)

    def _expire_late(self, turn: list[LiveRun]) -> list[LiveRun]:
        """Expire the runs of a turn that are too late to answer; return the others."""
        now = now_ms()
        late = [each for each in turn if self._is_late(each.run, now)]
        left = [each for each in turn if each not in late]
        if late and left:
            self._queues.set_lead(left[0].run)
        for each in late:
            self._execution.step(each, Expire())
        return left

    def _begin(self, live: LiveRun) -> None:
        now, run = now_ms(), live.run
        deadline = run.deadline or now + self._links.agents.timeout_ms(run.agent)
        live.run = replace(run, started=now, deadline=deadline)
        incarnation = self._links.turns.incarnation_of(agent_key(run.agent))
        self._execution.step(live, Begin(now, deadline, incarnation))
        self._apply_agent_state(live)

    def _apply_agent_state(self, live: LiveRun) -> None:
        agents, run, life = self._links.agents, live.run, live.life
        if life.incarnation and agents.is_past(run.agent, life.incarnation):
            self._execution.step(live, AgentDied(life.incarnation))
            self._apply_connected_agent(live)
        if agents.is_gone(run.agent):
            self._execution.step(live, AgentGone())

    def _apply_connected_agent(self, live: LiveRun) -> None:
        """Handle an agent that was connected before the run was known: it is not reported again."""
        agent = live.run.agent
        there = self._links.turns.incarnation_of(agent_key(agent))
        if there and not self._links.agents.is_past(agent, there):
            self._execution.step(live, AgentReady(there, now_ms()))

    def _is_late(self, run: Run, now: int) -> bool:
        if run.reply is None:
            return False
        return run.at < now - self._links.outbox.answer_seconds(run.reply.account) * 1000

    def _on_over(self, live: LiveRun, step: RunStep) -> None:
        """Remove a run that is over, notify its watchers, and begin what is due."""
        self.ended[live.run.state] += 1
        self._freed.add(len(live.run.answer))
        live.stop_timer()
        self._live.pop(live.run.id, None)
        if len(self._live) < MAX_OPEN:
            self._room.set()
        self._links.turns.release(live.run.id)
        self._notify(live, step)
        for future in live.waiting:
            if not future.done():
                future.set_result(live.run)
        if step == "ended":
            self._queues.end(live.run)
            self._start_due()

    def _notify(self, live: LiveRun, step: RunStep, event: TurnEvent | None = None) -> None:
        watchers = [*self._watchers, *live.watchers]
        if not watchers:
            return
        live.event_count += 1
        answered = live.answered and step == "ended"
        update = RunUpdate(
            step, live.key, live.run, live.event_count, event, live.partial, answered
        )
        for each in watchers:
            each(update)

    def _of_agent(self, key: str) -> list[LiveRun]:
        return [each for each in self._live.values() if agent_key(each.run.agent) == key]
