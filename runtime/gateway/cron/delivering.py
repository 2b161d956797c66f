"""Builds the runs of scheduled jobs, and delivers their answers: to a chat or to a URL."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import UNSET

from ipc import timeouts
from ipc.errors import PeerGone, RemoteError
from runtime.gateway.conversations.session_keys import main_key
from runtime.gateway.cron import run_log
from runtime.gateway.cron.job_types import (
    AgentTurnPayload,
    JobDelivery,
    JobFailureAlert,
    ScheduledJob,
)
from runtime.gateway.cron.links import NoRoute, TimerLinks, is_last, own_run, with_fields
from runtime.gateway.cron.outcomes import CronOutcome, outcome_of
from runtime.gateway.cron.posting import post
from runtime.gateway.cron.run_log import JobRun
from runtime.gateway.journal.runs import ReplyTarget, Run
from runtime.gateway.outbox.previews import answer_key

SENDING_SECONDS = 60.0  # for which the end of a run waits for its answer to be sent
INSTRUCTIONS = (
    "This is a scheduled run. Nobody is present to answer questions. Your final reply is what "
    "is delivered."
)


class AnswerDelivery:
    """Delivers the answers of scheduled jobs; those to chats are sent by the outbox."""

    def __init__(self, links: TimerLinks) -> None:
        self._links = links

    async def target(self, job: ScheduledJob, agent: str) -> tuple[ReplyTarget | None, str | None]:
        """Return the target of the answer, or why there is none."""
        delivery = job.delivery
        if not isinstance(delivery, JobDelivery) or delivery.mode != "announce":
            return None, None
        try:
            return await self.route(agent, delivery), None
        except NoRoute as error:
            return None, None if delivery.best_effort is True else str(error)

    def require_targets(self, job: ScheduledJob) -> None:
        """Raise ``NoRoute`` if a job names a chat, for answers or alerts, that no account reaches.

        With ``bestEffort`` its answer may be one for an account that comes later.
        """
        delivery = job.delivery if isinstance(job.delivery, JobDelivery) else JobDelivery()
        if delivery.mode == "announce" and delivery.best_effort is not True:
            self._require(delivery.channel, delivery.to, delivery.account_id)
        alert = job.failure_alert
        if not isinstance(alert, JobFailureAlert) or alert.mode == "webhook":
            return
        if alert.channel or alert.to or alert.account_id:
            channel, to = alert.channel or delivery.channel, alert.to or delivery.to
            self._require(channel, to, alert.account_id)

    def _require(self, channel: object, to: object, account: object) -> None:
        names = _text(channel), _text(to)
        if not is_last(*names) or account:
            self._links.named_target(*names, _text(account))

    async def route(self, agent: str, delivery: JobDelivery) -> ReplyTarget:
        """Return the chat for an answer; raises ``NoRoute``."""
        thread = delivery.thread_id
        return await self._links.target(
            agent,
            main_key(agent),
            _text(delivery.channel),
            _text(delivery.to),
            _text(delivery.account_id),
            None if thread in (None, UNSET) else str(thread),
        )

    async def deliver(
        self, job: ScheduledJob, entry: JobRun, run: Run, allow_private: bool
    ) -> CronOutcome:
        """Deliver the answer of a run; return the outcome of both."""
        delivered, how, problem = await self._deliver(job, entry, run, allow_private)
        return msgspec.structs.replace(
            outcome_of(job, run, problem),
            started=entry.run_at_ms,
            ended=self._links.now(),
            delivered=delivered,
            delivery=how,
        )

    async def _deliver(
        self, job: ScheduledJob, entry: JobRun, run: Run, allow_private: bool
    ) -> tuple[bool, str, str | None]:
        """Deliver the answer of a run; return whether that succeeded, the outcome, and why not."""
        delivery = job.delivery
        if run.reply is not None:
            sent, problem = await self._sent(run)
            return sent, "delivered" if sent else "not-delivered", problem
        if isinstance(delivery, JobDelivery) and delivery.mode == "webhook" and delivery.to:
            outcome = CronOutcome("ok" if run.state == "final" else "error", entry.run_at_ms, 0)
            payload = msgspec.to_builtins(run_log.end_entry(entry, outcome, UNSET, run))
            payload |= {"ts": self._links.now(), "durationMs": max(0, run.ended - entry.run_at_ms)}
            problem = await post(str(delivery.to), payload, run.id, allow_private=allow_private)
            return problem is None, "not-delivered" if problem else "delivered", problem
        return False, "not-requested", None

    async def _sent(self, run: Run) -> tuple[bool, str | None]:
        """Wait until it is known whether a run's answer was sent to its chat; return that."""
        assert run.reply is not None
        key, account = (
            answer_key(run.id),
            await self._links.outbox.open_for_answer(run.reply.account),
        )
        if account is not None and key in account.entries:
            try:
                async with timeouts.timeout(SENDING_SECONDS):
                    await account.wait_for_row(key)
            except TimeoutError:
                return False, "the answer waits to be sent"
            except RemoteError as error:  # its account was removed, or has no journal any more
                return False, error.message
            except PeerGone:  # this gateway ends: the next one resumes the run
                raise asyncio.CancelledError from None
        # What the outbox has forgotten may still be on its way into the journal: this is behind it.
        await self._links.store(run.reply.account, [])
        journal = self._links.journal()
        found = None if journal is None else await journal.sent_by(run.reply.account, key)
        if found is None:
            return False, None  # there was nothing to be said
        if found.row.state == "sent":
            return True, None
        return False, f"the answer was not sent: {found.row.error or found.row.state}"


def run_for(
    payload: AgentTurnPayload,
    run: str,
    session: str,
    agent: str,
    now: int,
    reply: ReplyTarget | None,
) -> Run:
    """Return the run for a job's turn."""
    request = with_fields(
        payload.message,
        instructions=INSTRUCTIONS,
        model=_text(payload.model),
        thinking=_text(payload.thinking),
    )
    seconds = payload.timeout_seconds
    return own_run(
        run,
        session,
        agent,
        request,
        client="cron",
        now=now,
        reply=reply,
        seconds=seconds if isinstance(seconds, int | float) else 0,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
