"""Decides the effect of a run on its job: state, next time, alert, removal. Pure.

A job that fails again and again is tried less often, and one alert is sent to a person. A job for
one time is over when it has run; after a passing failure it is tried three times more.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from runtime.gateway.conversations.run_answers import failure_of
from runtime.gateway.cron.job_types import (
    AtSchedule,
    JobDelivery,
    JobFailureAlert,
    RunStatus,
    ScheduledJob,
)
from runtime.gateway.cron.jobs import schedule_of, with_state
from runtime.gateway.cron.schedule import Due, next_time
from runtime.gateway.journal.runs import Run
from runtime.gateway.runs.lifecycle import DIED, PASSING, UNAVAILABLE

# After as many failures in a row; the last one counts from then on. OpenClaw's numbers.
BACKOFF_MS = (30_000, 60_000, 300_000, 900_000, 3_600_000)
TRIES_OF_ONE_TIME = 3
PASSES = PASSING | {DIED, UNAVAILABLE}  # errors of a run after which a retry may succeed
MAX_ERROR = 2000  # characters that are kept of an error


class CronOutcome(msgspec.Struct, frozen=True):
    """How a run ended. Times in milliseconds; ``passing``: a retry may succeed."""

    status: RunStatus
    started: int
    ended: int
    error: str | None = None
    passing: bool = True
    delivered: bool = False
    delivery: str = "not-requested"


class CronAlert(msgspec.Struct, frozen=True):
    """An alert about failures in a row; target ``None``: where the job delivers."""

    text: str
    mode: Literal["announce", "webhook"] = "announce"
    channel: str | None = None
    to: str | None = None
    account: str | None = None


class AfterRun(msgspec.Struct, frozen=True):
    """A job after a run (``None``: removed), and the alert to send."""

    job: ScheduledJob | None
    alert: CronAlert | None = None


def outcome_of(job: ScheduledJob, run: Run, problem: str | None) -> CronOutcome:
    """Return how a run ended, without times; ``problem``: why its answer could not be delivered."""
    best_effort = isinstance(job.delivery, JobDelivery) and job.delivery.best_effort is True
    bad = run.state != "final" or (problem is not None and not best_effort)
    return CronOutcome(
        "error" if bad else "ok",
        started=0,
        ended=0,
        error=problem or _error_of(run),
        passing=run.state == "timeout" or run.error in PASSES,
    )


def _error_of(run: Run) -> str | None:
    if run.state == "final":
        return None
    failure = failure_of(run)
    return failure.text if failure is not None else run.detail or run.state


def begin_run(job: ScheduledJob, decision: Due, now: int) -> ScheduledJob:
    """Return a job after its planned run has begun; store it in one record with the run.

    A run that a new gateway does not find any more ``ended`` with an error, or the job would wait
    for it for ever.
    """
    following = UNSET if decision.next is None else decision.next
    return with_state(job, next_run_at_ms=following, running_at_ms=now)


def begin_by_hand(job: ScheduledJob, now: int) -> ScheduledJob:
    """Return a job that runs on request; its planned time stays."""
    return with_state(job, running_at_ms=now)


def skip_run(job: ScheduledJob, decision: Due, now: int) -> ScheduledJob:
    """Return a job whose missed time is skipped; a one-time job is then over."""
    job = msgspec.structs.replace(job, updated_at_ms=now)
    if decision.next is None:
        job = msgspec.structs.replace(job, enabled=False)
    return with_state(
        job,
        next_run_at_ms=UNSET if decision.next is None else decision.next,
        last_status="skipped",
        consecutive_skipped=_count(job.state.consecutive_skipped) + 1,
    )


def end_run(
    job: ScheduledJob,
    outcome: CronOutcome,
    *,
    default_alert: JobFailureAlert | None = None,
    local: tzinfo = UTC,
) -> AfterRun:
    """Return the job after a run has ended, and the alert to send.

    ``default_alert`` is for jobs without a rule for alerts of their own.
    """
    state = job.state
    errors = _count(state.consecutive_errors) + 1 if outcome.status == "error" else 0
    skips = _count(state.consecutive_skipped) + 1 if outcome.status == "skipped" else 0
    if outcome.status == "skipped":
        errors = _count(state.consecutive_errors)  # neither a failure nor the end of them
    error = UNSET if outcome.error is None else outcome.error[:MAX_ERROR]
    changed = with_state(
        job,
        running_at_ms=UNSET,
        last_run_at_ms=outcome.started,
        last_run_status=outcome.status,
        last_status=outcome.status,
        last_error=error,
        last_duration_ms=max(0, outcome.ended - outcome.started),
        last_delivered=outcome.delivered,
        last_delivery_status=outcome.delivery,
        last_failure_notification_delivery_status="not-requested",
        consecutive_errors=errors,
        consecutive_skipped=skips,
    )
    changed = msgspec.structs.replace(changed, updated_at_ms=outcome.ended)
    if isinstance(job.schedule, AtSchedule):
        kept = _after_its_time(changed, outcome, errors)
    else:
        kept = _paced(changed, outcome, errors, local)
    return _with_alert(kept, changed, outcome, default_alert)


def _after_its_time(job: ScheduledJob, outcome: CronOutcome, errors: int) -> ScheduledJob | None:
    """Return a one-time job after its run: to be retried, removed, or kept disabled."""
    if outcome.status == "error" and outcome.passing and errors <= TRIES_OF_ONE_TIME:
        return with_state(job, next_run_at_ms=outcome.ended + _backoff(errors))
    if outcome.status == "ok" and job.delete_after_run is True:
        return None
    return with_state(msgspec.structs.replace(job, enabled=False), next_run_at_ms=UNSET)


def _paced(
    job: ScheduledJob, outcome: CronOutcome, errors: int, local: tzinfo
) -> ScheduledJob | None:
    """Return a recurring job with its next time, after failures not before its backoff."""
    if job.delete_after_run is True and outcome.status == "ok":
        return None
    planned = job.state.next_run_at_ms
    if outcome.status != "error" or not job.enabled or planned is UNSET:
        return job
    earliest = max(planned, outcome.ended + _backoff(errors))
    following = next_time(schedule_of(job, local), earliest - 1)
    return with_state(job, next_run_at_ms=UNSET if following is None else following)


def _with_alert(
    kept: ScheduledJob | None,
    job: ScheduledJob,
    outcome: CronOutcome,
    default: JobFailureAlert | None,
) -> AfterRun:
    wanted = default if job.failure_alert is UNSET else job.failure_alert or None
    if wanted is None or kept is None:
        return AfterRun(kept)
    failures = _count(job.state.consecutive_errors)
    if wanted.include_skipped is True:
        failures += _count(job.state.consecutive_skipped)
    elif outcome.status != "error":
        return AfterRun(kept)
    last = job.state.last_failure_alert_at_ms
    # An alert of the future was sent by a clock that was ahead.
    calm = last is UNSET or not 0 <= outcome.ended - last < wanted.cooldown_ms
    if failures < wanted.after or not calm:
        return AfterRun(kept)
    reason = (outcome.error or "unknown reason")[:200]
    times = "once" if failures == 1 else f"{failures} times in a row"
    text = f'Cron job "{job.name}" failed {times}.\nLast error: {reason}'
    alert = CronAlert(
        text,
        mode="announce" if wanted.mode is UNSET else wanted.mode,
        channel=_or_none(wanted.channel),
        to=_or_none(wanted.to),
        account=_or_none(wanted.account_id),
    )
    return AfterRun(with_state(kept, last_failure_alert_at_ms=outcome.ended), alert)


def _backoff(errors: int) -> int:
    return BACKOFF_MS[min(max(errors, 1), len(BACKOFF_MS)) - 1]


def _or_none(value: str | UnsetType) -> str | None:
    return None if value is UNSET else value


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
