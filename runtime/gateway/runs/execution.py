"""Carries out what is decided about each run: its turns, the records of its steps, its end.

``runtime.gateway.runs.lifecycle`` decides. Everything here can be done again from the journal by
the next gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from ipc.epoch import now_ms
from ipc.frames.words import agent_key
from runtime.gateway.journal.outgoing import OutgoingMessage
from runtime.gateway.journal.records import Outcome
from runtime.gateway.journal.runs import (
    RunMerged,
    RunPostponed,
    RunRecord,
    RunSeen,
    changed_run,
)
from runtime.gateway.outbox.account import AccountOutbox
from runtime.gateway.runs import lifecycle
from runtime.gateway.runs.lifecycle import (
    Acknowledge,
    AgentDied,
    CancelTurn,
    End,
    EndStored,
    Progress,
    RunEvent,
    RunPhase,
    SeenStored,
    SendTurn,
    Settle,
    StoreSeen,
    Timer,
    TurnOver,
    WakeAt,
)
from runtime.gateway.runs.links import RunLinks
from runtime.gateway.runs.live import LiveRun, RunStep, attempt_of
from runtime.gateway.runs.previews import RunPreviews
from runtime.gateway.runs.replies import (
    MAX_TOOLS,
    PLAIN_KINDS,
    Speaking,
    ended_of,
    turn_of,
    with_settings,
)
from runtime.gateway.runs.run_records import RunRecords, stored_of
from runtime.gateway.runs.sessions import OpenConversation
from runtime.gateway.runs.turn_table import ResumedTurn
from workers.agent import Delta, ToolCall, ToolResult, TurnEvent, TurnOutcome

log = structlog.get_logger("gateway.runs")


class TurnFollower:
    """The listener of one turn of a run; drops what belongs to an earlier attempt."""

    __slots__ = ("_attempt", "_execution", "_live")

    def __init__(self, execution: RunExecution, live: LiveRun, attempt: int) -> None:
        self._execution, self._live, self._attempt = execution, live, attempt

    def on_sent(self, incarnation: int) -> None:
        """Do nothing: the start of the turn is stored already, or its record follows."""

    def on_events(self, events: list[TurnEvent], last: int) -> None:
        """Pass the events of the turn to the run."""
        if self._live.attempt == self._attempt:
            self._execution.on_events(self._live, events, last)

    def on_end(self, outcome: TurnOutcome, seq: int) -> None:
        """Pass the end of the turn to the run."""
        self._execution.on_turn_end(self._live, outcome, seq, self._attempt)

    def on_death(self, seen: bool) -> None:
        """Apply the death of the agent to the state of the run."""
        if self._live.attempt == self._attempt:
            self._execution.step(self._live, AgentDied(self._live.life.incarnation))


class RunExecution:
    """Carries out the actions that the lifecycle decides, for all runs that have not ended.

    ``on_event(live, step, event)`` is called with what happens to one, ``on_over(live, step)`` once
    one is over.
    """

    def __init__(
        self,
        links: RunLinks,
        on_event: Callable[[LiveRun, RunStep, TurnEvent | None], None],
        on_over: Callable[[LiveRun, RunStep], None],
    ) -> None:
        self._links = links
        self._on_event = on_event
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._previews = RunPreviews(links, lambda live, record: self.store(live, record, None))
        self._records = RunRecords(links.journal, links.flush_soon)
        self.closed = False

    def step(self, live: LiveRun, event: RunEvent) -> RunPhase:
        """Apply an event to the state of a run and carry out the actions; return the new phase."""
        repeat, before = self._links.agents.repeat(live.run.agent), live.life.phase
        live.life, actions = lifecycle.step(live.life, event, repeat)
        if before is RunPhase.RUNNING and live.life.phase is RunPhase.WAITING:
            self._postpone(live)
        for action in actions:
            match action:
                case SendTurn():
                    self._send(live, action)
                case StoreSeen():
                    record = RunSeen(live.key, live.run.id, live.came, seen=True, at=now_ms())
                    self.store(live, record, lambda outcome: self._on_seen_stored(live))
                case Acknowledge():
                    self._acknowledge(live, live.came)
                case CancelTurn():
                    self._links.turns.cancel(live.run.id)
                case WakeAt():
                    self.set_timer(live, action.at)
                case End():
                    self._end(live, action)
                case Settle():
                    if live.end:
                        self._acknowledge(live, live.end)
                    self._on_over(live, "ended")
        return live.life.phase

    def on_events(self, live: LiveRun, events: list[TurnEvent], last: int) -> None:
        """Handle events of the current turn of a run."""
        if live.life.phase is not RunPhase.RUNNING:
            return
        shown = False
        live.came = last
        for event in events:
            if isinstance(event, Delta):
                live.partial.append(event.text)
            elif isinstance(event, ToolCall | ToolResult) and len(live.tools) < MAX_TOOLS:
                live.tools.append(event)
            shown |= isinstance(event, Delta | ToolCall)
            self._on_event(live, "event", event)
        if shown:
            self._previews.on_growth(live)
        if shown or live.life.seen is not lifecycle.Seen.NO:
            self.step(live, Progress())
        else:
            self._acknowledge(live, last)

    def on_turn_end(self, live: LiveRun, outcome: TurnOutcome, seq: int, attempt: int) -> None:
        """Handle the end of a turn of a run."""
        if live.attempt != attempt or live.life.phase is RunPhase.ENDED:
            self._links.turns.acknowledge(live.run.id, seq, attempt=attempt)
            return
        live.end = seq
        if live.life.phase is not RunPhase.RUNNING:
            return  # it was aborted, say: that is acknowledged once it is stored
        live.outcome = outcome
        if outcome.state == "error":
            log.warning(
                "a turn failed",
                run=live.run.id,
                agent=live.run.agent,
                kind=outcome.kind,
                error=outcome.error,
            )
        over = TurnOver(outcome.state, now_ms(), outcome.kind or "", outcome.retry_after)
        if self.step(live, over) is RunPhase.WAITING:  # it is asked again: this turn is done
            self._acknowledge(live, seq)
            live.end, live.outcome = 0, None

    def close(self) -> None:
        """Stop all work: the next gateway resumes the runs that have not ended."""
        self.closed = True
        self._records.close()
        self._previews.close()

    def merge(self, member: LiveRun, lead: LiveRun) -> None:
        """End a run that is answered together with ``lead``."""
        member.life = lifecycle.RunLife(RunPhase.ENDED)
        record = RunMerged(member.key, member.run.id, lead.run.id, now_ms())
        self.store(member, record, None)
        self._on_over(member, "merged")

    def resume(self, live: LiveRun) -> None:
        """Resume the turn that an agent had when the last gateway ended."""
        run = live.run
        live.attempt, live.came, live.resumed = attempt_of(run), run.events, True
        live.life = lifecycle.RunLife(
            RunPhase.RUNNING if run.state == "running" else RunPhase.WAITING,
            run.incarnation,
            seen=lifecycle.Seen.YES if run.seen else lifecycle.Seen.NO,
            retried=run.retried,
            deaths=run.deaths,
            deadline=run.deadline,
            after=run.next,
        )
        if run.state == "running":
            turn = ResumedTurn(
                agent_key(run.agent),
                run.id,
                run.deadline,
                run.incarnation,
                after=run.events,
                seen=run.seen,
                attempt=live.attempt,
            )
            self._links.turns.resume(turn, TurnFollower(self, live, live.attempt))
        if live.life.phase in (RunPhase.RUNNING, RunPhase.WAITING) and live.timer is None:
            self.set_timer(live, run.next)

    def set_timer(self, live: LiveRun, at: int) -> None:
        """Send the event ``Timer`` to a run at ``at`` (epoch milliseconds)."""
        live.stop_timer()
        if live.life.phase in lifecycle.OVER or self.closed:
            return

        def on_timer() -> None:
            live.timer = None
            now = max(now_ms(), at)  # it is due, also where the clock was set back meanwhile
            self.step(live, Timer(now, self._links.turns.incarnation_of(agent_key(agent))))

        agent = live.run.agent
        live.timer = self._loop.call_later(max(at - now_ms(), 0) / 1000 + 0.001, on_timer)

    def store(
        self, live: LiveRun, record: RunRecord, done: Callable[[Outcome], None] | None
    ) -> None:
        """Store a step of a run; ``done`` is called once it is stored."""
        if self._links.journal() is None or self.closed:
            return  # it is the next gateway's
        live.run = changed_run(live.run, record)
        self._records.append(stored_of(live.run, record), done)

    def _acknowledge(self, live: LiveRun, seq: int) -> None:
        if not self.closed:
            self._links.turns.acknowledge(live.run.id, seq, attempt=live.attempt)

    def _on_seen_stored(self, live: LiveRun) -> None:
        self.step(live, SeenStored())

    def _send(self, live: LiveRun, action: SendTurn) -> None:
        """Send a turn to the agent, and store its start. The record of a first turn may follow it,
        because beginning it again makes the same turn. Others wait for it.
        """
        if not action.anew:
            return  # the turn link goes on by itself
        first = not live.attempt
        started = live.run.started if first else now_ms()
        members = live.reset_turn()
        # The first turn of a message alone has a known number.
        attempt = live.attempt = 1 if first and not live.collected else started
        if attempt != 1:
            self._links.turns.release(live.run.id)

        def start(outcome: Outcome = None) -> None:
            if live.attempt == attempt and live.life.phase is RunPhase.RUNNING:
                self._start_turn(live)

        record = live.start_record(action.incarnation, started)  # before the turn may have an end
        waits = not first or live.collected or self._links.agents.is_asked_once(live.run.agent)
        if not waits:
            start()
        live.run = changed_run(live.run, record)
        self._records.append_start(record, start if waits else None)
        for member in members:
            self.merge(member, live)
        self._on_event(live, "started", None)

    def _start_turn(self, live: LiveRun) -> None:
        conversation = self._links.sessions.find(live.run.session)
        if conversation is None or self._needs_files(live):
            self._links.jobs.start(self._start_turn_later(live, live.attempt))
        else:
            self._begin_turn(live, conversation)

    async def _start_turn_later(self, live: LiveRun, attempt: int) -> None:
        """Send a turn whose conversation is not in memory, or that has files to link."""
        run, request = live.run, live.request
        conversation = await self._links.sessions.open(run.session, run.agent, now_ms())
        if self._needs_files(live):
            owner, agent = run.origin.account, agent_key(run.agent)
            files = await self._links.files.link(owner, agent, request.attachments)
            if live.request is request:
                live.request = replace(request, attachments=files)
        if live.attempt == attempt and live.life.phase is RunPhase.RUNNING:
            self._begin_turn(live, conversation)

    def _needs_files(self, live: LiveRun) -> bool:
        """Return whether files of the account must be linked into the agent's store."""
        files = live.request.attachments
        if not files or not live.run.origin.account:
            return False
        return self._links.agents.kind(live.run.agent) not in PLAIN_KINDS

    def _begin_turn(self, live: LiveRun, conversation: OpenConversation) -> None:
        run = live.run
        abilities = self._links.abilities(run.origin.account) if run.origin.account else {}
        history = conversation.history()
        follower = TurnFollower(self, live, live.attempt)
        request = with_settings(live.request, conversation.session.settings)
        while True:
            turn = turn_of(run, request, history, abilities, live.life.deadline)
            try:
                self._links.turns.begin(agent_key(run.agent), turn, follower, attempt=live.attempt)
            except ValueError as error:  # too large: with less of what was said before, perhaps
                if not history:
                    live.outcome = TurnOutcome("error", kind="refused", error=str(error))
                    self.step(live, TurnOver("error", now_ms(), "too_large"))
                    return
                history = history[len(history) // 2 + 1 :]
            else:
                return

    def _postpone(self, live: LiveRun) -> None:
        """Store that a turn has ended and its run has not."""
        life, outcome = live.life, live.outcome
        kind = "died" if outcome is None else outcome.kind or ""
        record = RunPostponed(live.key, live.run.id, life.after, life.retried, life.deaths, kind)
        self.store(live, record, None)

    def _end(self, live: LiveRun, end: End) -> None:
        """Store the end of a run with its answer, once the outbox of its chat is loaded."""
        live.stop_timer()
        run, outbox = live.run, self._links.outbox
        conversation = self._links.sessions.find(run.session)
        account = None if run.reply is None else outbox.find_loaded(run.reply.account)
        final = None if live.outcome is None else live.outcome.final
        files = run.reply is not None and final is not None and final.attachments
        if conversation is None or files or (run.reply is not None and account is None):
            self._links.jobs.start(self._end_later(live, end))
        else:
            self._store_end(live, end, conversation, account)

    async def _end_later(self, live: LiveRun, end: End) -> None:
        run = live.run
        conversation = await self._links.sessions.open(run.session, run.agent, now_ms())
        account = None
        if run.reply is not None:
            account = await self._links.outbox.open_for_answer(run.reply.account)
            if live.outcome is not None and account is not None:
                agent = agent_key(run.agent)
                live.outcome = await self._links.files.link_answer(agent, account.key, live.outcome)
        self._store_end(live, end, conversation, account)

    def _store_end(
        self, live: LiveRun, end: End, conversation: OpenConversation, account: AccountOutbox | None
    ) -> None:
        agents, run = self._links.agents, live.run
        speaking = Speaking(agents.kind(run.agent), self._links.silent_groups())
        ended, message = ended_of(live, end, speaking, conversation.session, now_ms())
        if ended.changed is not None:
            conversation.session = ended.changed
        silent = message is None and end.state == "final"
        edits = self._previews.end(live, answered=not silent)
        answers: list[OutgoingMessage] = []
        if message is not None and account is not None:
            answers = [self._links.outbox.prepare_answer(account, message, edits)]

        live.answered, begun = bool(answers), conversation.session.id

        def on_stored(done: Outcome) -> None:
            self._links.sessions.extend(live.key, conversation, begun, ended.entries, done)
            self.step(live, EndStored())
            if account is not None and answers and not self.closed:
                account.on_stored([each.row.key for each in answers], done)

        if end.state == "expired":
            agents.failed["expired"] += 1
        elif end.state in ("error", "timeout"):
            agents.record_failure(end.state, run.origin.account, end.kind or end.state)
        self.store(live, replace(ended, answers=answers), on_stored)
        for member in live.members:  # that were to be asked with it
            if member.life.phase is RunPhase.QUEUED:
                self.merge(member, live)
