"""Runs scheduled jobs when they are due, and stores the outcomes.

``schedule``, ``jobs`` and ``outcomes`` decide. Here the clock is read, and each step is
stored: a planned time and the run that it begins are one record, and nothing begins before that
is stored. What was under way when a gateway died is taken up by the next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from operator import itemgetter
from typing import Any

import msgspec
import structlog
from msgspec import UNSET

from ipc.frames.words import AGENT
from ipc.nesting import MALFORMED, decode_json
from runtime.config.timers import CronConfig
from runtime.gateway.access.scopes import READ
from runtime.gateway.conversations.session_keys import main_key, named_key
from runtime.gateway.cron import run_log
from runtime.gateway.cron.alerts import Alerts
from runtime.gateway.cron.delivering import AnswerDelivery, run_for
from runtime.gateway.cron.heartbeats import Heartbeats
from runtime.gateway.cron.job_types import ScheduledJob, SystemEventPayload
from runtime.gateway.cron.jobs import corrected, due, event_of
from runtime.gateway.cron.links import TimerLinks, key_of
from runtime.gateway.cron.outcomes import CronOutcome, begin_by_hand, begin_run, end_run, skip_run
from runtime.gateway.cron.run_log import JobRun, RunLog
from runtime.gateway.cron.schedule import Due
from runtime.gateway.journal.interface import Journal
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.runs import Run

KIND = "cron.job"  # of the journal's documents
CHECK_SECONDS = 60.0  # at most, until the clock is read again: it may have been set
JUMP_MS = 60_000  # the clock went so much further than time did: the host slept, or it was set
GAP_MS = 1_000  # between the beginnings of two runs of one job
INTERRUPTED = "the run was interrupted, and nothing is known of it any more"
REMOVED = "Cron job removed by operator."

log = structlog.get_logger("gateway.cron")


class Scheduler:
    """The scheduled jobs of one gateway by id, the log of their runs, and their deliveries.

    ``ended`` counts runs by how they ended.
    """

    def __init__(self, links: TimerLinks, heartbeats: Heartbeats, ended: Counter[str]) -> None:
        self.config = CronConfig()
        self.jobs: dict[str, ScheduledJob] = {}
        self.log = RunLog()
        self._ended = ended
        self.loaded = asyncio.Event()
        self._links = links
        self._heartbeats = heartbeats
        self._alerts = Alerts(links)
        self.delivery = AnswerDelivery(links)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._busy: set[str] = set()  # jobs of which a run begins or is under way
        self._awake_since = self._last = links.now()
        self._moment = self._loop.time()
        self._order = asyncio.Lock()
        self._closed = False

    def configure(self, config: CronConfig) -> None:
        """Apply another configuration."""
        self.config = config
        self.start_due()

    async def load(self, journal: Journal) -> None:
        """Load the jobs, continue unfinished runs, then begin."""
        self._awake_since = self._last = self._links.now()
        for each in await journal.items(KIND):
            try:
                self.jobs[each.id] = decode_json(each.value, ScheduledJob)
            except MALFORMED:
                log.exception("a job cannot be read", job=each.id)
        self.log.load(await journal.items(run_log.KIND))
        self.loaded.set()
        for job in [each for each in self.jobs.values() if each.state.running_at_ms is not UNSET]:
            self._busy.add(job.id)
            self._links.jobs.start(self._resume(journal, job))
        self.start_due()

    @property
    def next_wake(self) -> int | None:
        """The time at which the next job is due, if known."""
        planned = (each.state.next_run_at_ms for each in self.jobs.values() if each.enabled)
        return min((each for each in planned if isinstance(each, int)), default=None)

    @property
    def in_flight(self) -> int:
        """The number of running jobs."""
        return len(self._busy)

    @property
    def is_full(self) -> bool:
        """Whether the limit of concurrent runs is reached."""
        return len(self._busy) >= self.config.max_concurrent_runs

    def refusal(self, job: ScheduledJob) -> str | None:
        """Return why a job cannot run now: it is already running."""
        return "already-running" if job.id in self._busy else None

    def save(self, job: ScheduledJob, action: str) -> Coroutine[Any, Any, None]:
        """Apply a new or changed job at once; await the result to have it stored and announced."""
        self.jobs[job.id] = job
        return self._save(job, action)

    async def _save(self, job: ScheduledJob, action: str) -> None:
        await self._store(self._key(job), [self._item(job)])
        self._announce(job, action)
        self.start_due()

    async def _store(self, key: str, items: list[KeptItem], **more: Any) -> None:
        """Store steps one after the other, because records of several keys are not ordered."""
        async with self._order:
            await self._links.store(key, items, **more)

    def remove(self, job: ScheduledJob) -> Coroutine[Any, Any, None]:
        """Remove a job at once; await the result to have that stored, and a run of it aborted."""
        del self.jobs[job.id]
        entry = self.log.unfinished(job.id)
        if entry is not None:
            outcome = CronOutcome("error", entry.run_at_ms, self._links.now(), REMOVED)
            entry = run_log.end_entry(entry, outcome, UNSET)
            self.log.add(entry)
        return self._remove(job, entry)

    async def _remove(self, job: ScheduledJob, entry: JobRun | None) -> None:
        items = [] if entry is None else [entry.to_item()]
        await self._store(self._key(job), items, removed=[(KIND, job.id)])
        self._announce(job, "removed")
        if entry is not None:
            self._announce(job, "finished", **msgspec.to_builtins(entry))
            self._links.runs.abort(entry.run_id)

    def begin(
        self, job: ScheduledJob, run: str, decision: Due | None = None
    ) -> Coroutine[Any, Any, None]:
        """Reserve a job at once; await the result to have a run begun, of a decision or by hand."""
        self._busy.add(job.id)
        return self._try_begin(job, run, decision)

    async def _try_begin(self, job: ScheduledJob, run: str, decision: Due | None) -> None:
        try:
            if decision is not None:
                run = await self._new_id(run)
            await self._begin(job, run, decision)
        except Exception as error:  # its time is over all the same, or it would be tried for ever
            log.exception("a job did not begin", job=job.id)
            now = self._links.now()
            changed = begin_by_hand(job, now) if decision is None else begin_run(job, decision, now)
            outcome = CronOutcome("error", now, now, f"it did not begin: {error}")
            await self._end(changed, run_log.begin_entry(job, run, now), outcome)

    async def _new_id(self, run: str) -> str:
        """Return the id of a run; another one for a time that comes again as the clock was set."""
        known, journal = self.log.knows(run), self._links.journal()
        if not known and journal is not None:
            known = await journal.run_of(run) is not None
        return f"{run}:{self._links.now():x}" if known else run

    def start_due(self) -> None:
        """Begin due jobs, and set the timer for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed or not self.loaded.is_set():
            return
        now = self._now()
        planned = [
            (job.state.next_run_at_ms, job)
            for job in (self.jobs.values() if self.config.enabled else ())
            if job.state.next_run_at_ms is not UNSET and job.enabled and job.id not in self._busy
        ]
        wakes = [now + round(CHECK_SECONDS * 1000)]
        for at, job in planned:
            if at > now and not self._corrects(job, now):
                wakes.append(at)
        # The oldest first: else frequent jobs would leave no place to the others.
        for _, job in sorted((each for each in planned if each[0] <= now), key=itemgetter(0)):
            if self.is_full:
                break  # the end of a run calls this again
            if (again := self._begin_if_due(job, now)) is not None:
                wakes.append(again)
        seconds = max(min(wakes) - now, 1) / 1000
        self._timer = self._loop.call_later(seconds, self.start_due)

    def close(self) -> None:
        """Stop: the next gateway continues unfinished runs."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _now(self) -> int:
        """Return the time; after a forward jump of the clock, earlier times count as missed."""
        now, moment = self._links.now(), self._loop.time()
        jumped = now - self._last > (moment - self._moment) * 1000 + JUMP_MS
        if jumped or now < self._awake_since:  # or it was set back: what comes is not missed
            self._awake_since = now
        self._last, self._moment = now, moment
        return now

    def _begin_if_due(self, job: ScheduledJob, now: int) -> int | None:
        """Begin a due job; return when to check again if it cannot begin yet."""
        began = job.state.last_run_at_ms
        if isinstance(began, int) and began <= now < began + GAP_MS:
            return began + GAP_MS
        try:
            decision = due(job, now=now, awake_since=self._awake_since, local=self._links.zone())
        except ValueError:  # its zone is not known here any more
            log.exception("the times of a job cannot be read", job=job.id)
            return None
        if decision.wait is not None:
            return decision.wait
        if decision.skipped is not None:
            self._replace_soon(job, skip_run(job, decision, now))
        elif decision.run is not None:
            run = f"cron:{job.id}:{decision.run}"
            self._links.jobs.start(self.begin(job, run, decision))
        return None

    def _corrects(self, job: ScheduledJob, now: int) -> bool:
        """Return whether the planned time of a job was wrong, and is being corrected."""
        try:
            changed = corrected(job, now=now, local=self._links.zone())
        except ValueError:  # its zone is not known here any more
            return False
        if changed is None:
            return False
        log.info("a job is planned anew: the clock was ahead", job=job.id)
        self._replace_soon(job, changed)
        return True

    def _replace_soon(self, job: ScheduledJob, changed: ScheduledJob) -> None:
        self._busy.add(job.id)
        self._links.jobs.start(self._replace(job, changed))

    async def _replace(self, job: ScheduledJob, changed: ScheduledJob) -> None:
        if self.jobs.get(job.id) is job:
            await self.save(changed, "updated")
        self._release(job.id)

    async def _begin(self, job: ScheduledJob, run: str, decision: Due | None) -> None:
        now = self._links.now()
        agent = self._links.agent_of(job)
        event = isinstance(job.payload, SystemEventPayload)
        reply, problem = (None, None) if event else await self.delivery.target(job, agent)
        if self.jobs.get(job.id) is not job:  # changed or removed meanwhile: it is decided anew
            self._release(job.id)
            return
        if isinstance(job.payload, SystemEventPayload):
            await self._send_event(job, job.payload, run, decision, now)
            return
        session = self._session(job, agent, now)
        changed = begin_by_hand(job, now) if decision is None else begin_run(job, decision, now)
        entry = run_log.begin_entry(job, run, now, session)
        if problem is not None:
            await self._end(changed, entry, CronOutcome("error", now, now, problem, passing=False))
            return
        self.jobs[job.id] = changed
        asked = run_for(job.payload, run, session, agent, now, reply)
        gone = self.log.add(entry)
        items = [self._item(changed), entry.to_item()]
        await self._store(key_of(asked), items, removed=gone, run=asked)
        self._announce(changed, "started", runAtMs=now)
        self._follow(job.id, entry, asked)

    async def _send_event(
        self,
        job: ScheduledJob,
        payload: SystemEventPayload,
        run: str,
        decision: Due | None,
        now: int,
    ) -> None:
        """Carry out a job that only sends an event to the main session of an agent."""
        changed = begin_by_hand(job, now) if decision is None else begin_run(job, decision, now)
        entry = run_log.begin_entry(job, run, now)
        outcome = CronOutcome("ok", now, now)
        kept, items, removed, entry = self._apply_end(changed, entry, outcome)
        async with self._order:
            await self._heartbeats.wake(
                payload.text,
                job.wake_mode,
                self._links.session_of(job) or main_key(self._links.agent_of(job)),
                items=items,
                removed=removed,
            )
        self._announce(changed, "started", runAtMs=now)
        self._on_finished(job, kept, entry)

    def _session(self, job: ScheduledJob, agent: str, now: int) -> str:
        """Return the key of the session in which a job runs."""
        named = self._links.session_of(job)
        return named or named_key(agent, "cron", job.id, run=f"{now:x}")

    def _follow(self, job: str, entry: JobRun, run: Run) -> None:
        """Watch for the end of a run, without a task, which would delay a drain."""
        future = self._links.runs.ending(run.id)
        if future is None:  # it has ended already
            self._links.jobs.start(self._on_run_ended(job, entry, run.id))
            return

        def on_run_ended(done: asyncio.Future[Run]) -> None:
            if not done.cancelled() and not self._closed:
                self._links.jobs.start(self._on_run_ended(job, entry, run.id, done.result()))

        future.add_done_callback(on_run_ended)

    async def _resume(self, journal: Journal, job: ScheduledJob) -> None:
        """Continue a run that an earlier gateway began."""
        entry = self.log.unfinished(job.id)
        run = None if entry is None else await journal.run_of(entry.run_id)
        if entry is None or run is None:
            now = self._links.now()
            entry = entry or run_log.begin_entry(job, f"cron:{job.id}:{now}", now)
            await self._end(job, entry, CronOutcome("error", entry.run_at_ms, now, INTERRUPTED))
        else:
            self._follow(job.id, entry, run)

    async def _on_run_ended(
        self, id: str, entry: JobRun, run_id: str, run: Run | None = None
    ) -> None:
        """Handle the end of a run: wait for the delivery of its answer, then store the outcome."""
        journal = self._links.journal()
        if run is None and journal is not None:
            run = await journal.run_of(run_id)
        job = self.jobs.get(id)
        if run is None or job is None or run.is_open:
            self._release(id)
            return
        outcome = await self.delivery.deliver(job, entry, run, self.config.allow_private)
        job = self.jobs.get(id)  # which may be another one now
        if job is None:
            self._release(id)
        else:
            await self._end(job, entry, outcome, run)

    async def _end(
        self, job: ScheduledJob, entry: JobRun, outcome: CronOutcome, run: Run | None = None
    ) -> None:
        kept, items, removed, entry = self._apply_end(job, entry, outcome, run)
        await self._store(self._key(job), items, removed=removed)
        self._on_finished(job, kept, entry)

    def _apply_end(
        self, job: ScheduledJob, entry: JobRun, outcome: CronOutcome, run: Run | None = None
    ) -> tuple[ScheduledJob | None, list[KeptItem], list[tuple[str, str]], JobRun]:
        """Return the effects of a run's end: the job, the documents to store and to delete."""
        self._ended[outcome.status] += 1
        after = end_run(job, outcome, local=self._links.zone())
        kept = after.job
        entry = run_log.end_entry(entry, outcome, (kept or job).state.next_run_at_ms, run)
        removed = self.log.add(entry)
        if kept is None:
            self.jobs.pop(job.id, None)
            removed.append((KIND, job.id))
        else:
            self.jobs[job.id] = kept
        if after.alert is not None:
            self._links.jobs.start(
                self._alerts.send(job, after.alert, entry.run_id, self.config.allow_private)
            )
        items = [entry.to_item()] + ([] if kept is None else [self._item(kept)])
        return kept, items, removed, entry

    def _on_finished(self, job: ScheduledJob, kept: ScheduledJob | None, entry: JobRun) -> None:
        self._announce(kept or job, "finished", **msgspec.to_builtins(entry))
        if kept is None:
            self._announce(job, "removed")
        self._release(job.id)

    def _release(self, job: str) -> None:
        self._busy.discard(job)
        if not self._closed:
            self.start_due()

    def _announce(self, job: ScheduledJob, action: str, /, **more: Any) -> None:
        self._links.hub.broadcast("cron", event_of(job, action, more), scope=READ)

    def _key(self, job: ScheduledJob) -> str:
        return f"{AGENT}:{self._links.agent_of(job)}"

    @staticmethod
    def _item(job: ScheduledJob) -> KeptItem:
        return KeptItem(KIND, job.id, msgspec.json.encode(job))
