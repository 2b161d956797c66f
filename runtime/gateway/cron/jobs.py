"""Creates and changes scheduled jobs, and decides when they run. Pure.

The texts of errors are OpenClaw's, as far as they were recorded: its command line shows them. What
types can express ``job_types`` has; here is what several fields say together.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Container, Mapping
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.cron.job_types import (
    AgentTurnPayload,
    AtSchedule,
    CronSchedule,
    EverySchedule,
    JobDelivery,
    JobPatch,
    JobPayload,
    JobSchedule,
    JobState,
    NewJob,
    PayloadPatch,
    ScheduledJob,
    SystemEventPayload,
)
from runtime.gateway.cron.schedule import (
    AtTime,
    BadSchedule,
    CronTimes,
    Due,
    EveryInterval,
    Schedule,
    check_expression,
    corrected_time,
    decide,
    iso,
    next_time,
    offset,
    time_of,
    zone_of,
)

MAIN, ISOLATED, CURRENT, SESSION = "main", "isolated", "current", "session:"
# Fields that a patch replaces as they are.
PLAIN = (
    *("name", "session_target", "wake_mode", "description"),
    *("enabled", "delete_after_run", "catch_up"),
)
LATE_MS = 60_000  # for which a time that is over is still accepted: clocks differ
NO_JOB = "CRON_JOB_NOT_FOUND"
ADVICE = (
    "List automations and retry with a current job id. For cross-session management, use a fresh "
    "authenticated configured channel owner or Control UI administrator turn or the Automations "
    "page."
)


class BadJob(Exception):
    """A job or a change is refused: the error's code, text and details."""

    def __init__(self, text: str, code: str = INVALID_REQUEST, **details: Any) -> None:
        super().__init__(text)
        self.code = code
        self.details = details


def not_found(id: str, *, got: bool = False) -> BadJob:
    """Return the error for a job that does not exist; ``got``: for ``cron.get``."""
    what = "cron job not found" if got else "Automation not found"
    return BadJob(f"{what}: {id}. {ADVICE}", details={"code": NO_JOB, "jobId": id})


def create(
    id: str, given: NewJob, *, now: int, agents: Container[str], local: tzinfo = UTC
) -> ScheduledJob:
    """Create the job of ``cron.add``; raises ``BadJob``. ``local``: the host's time zone."""
    try:
        schedule = _normal(given.schedule, now)
        target, payload = given.session_target, given.payload
        delivery = given.delivery
        if delivery is UNSET and isinstance(payload, AgentTurnPayload):
            delivery = JobDelivery(mode="announce")
        _check_parts(target, payload, delivery)
        _check_times(schedule, local)
    except BadSchedule as error:
        raise BadJob(f"invalid cron.add params: {error}") from None
    once = isinstance(schedule, AtSchedule)
    job = ScheduledJob(
        id=id,
        name=given.name,
        schedule=schedule,
        session_target=target,
        wake_mode=given.wake_mode,
        payload=payload,
        created_at_ms=now,
        updated_at_ms=now,
        enabled=given.enabled,
        state=JobState(),
        agent_id=given.agent_id or UNSET,
        session_key=given.session_key or UNSET,
        description=given.description,
        # What is over is only in the way, unless a client wants to keep it.
        delete_after_run=True
        if once and given.delete_after_run is UNSET
        else given.delete_after_run,
        delivery=delivery,
        failure_alert=given.failure_alert,
        catch_up=given.catch_up,
    )
    _check_past(job, now, local)
    _check_agent(job, agents)
    return _planned(job, now, local)


def update(
    job: ScheduledJob, patch: JobPatch, *, now: int, agents: Container[str], local: tzinfo = UTC
) -> ScheduledJob:
    """Apply ``cron.update`` to a job; raises ``BadJob``.

    Another schedule, or a job that is enabled again, is planned anew from now on.
    """
    changes = {name: value for name in PLAIN if (value := getattr(patch, name)) is not UNSET}
    for name in ("agent_id", "session_key", "failure_alert"):  # ``null`` takes them away
        if (value := getattr(patch, name)) is not UNSET:
            changes[name] = UNSET if value is None else value
    try:
        if patch.schedule is not UNSET:
            changes["schedule"] = _normal(patch.schedule, now)
        if patch.payload is not UNSET:
            changes["payload"] = _patched_payload(job.payload, patch.payload)
        if patch.delivery is not UNSET:
            before = JobDelivery() if job.delivery is UNSET else job.delivery
            changes["delivery"] = _laid_over(before, patch.delivery)
        changed = msgspec.structs.replace(job, **changes, updated_at_ms=now)
        _check_parts(changed.session_target, changed.payload, changed.delivery)
        _check_times(changed.schedule, local)
    except BadSchedule as error:
        raise BadJob(f"invalid cron.update params: {error}") from None
    if patch.agent_id is not UNSET:
        _check_agent(changed, agents)
    if patch.schedule is not UNSET:
        _check_past(changed, now, local)
    if patch.schedule is UNSET and changed.enabled == job.enabled:
        return changed
    return _planned(with_state(changed, schedule_activated_at_ms=now), now, local)


def named_session(job: ScheduledJob) -> str | None:
    """Return the session key that a job names for its turns or events, as it was given."""
    target = job.session_target
    if target.startswith(SESSION):
        return target.removeprefix(SESSION)
    return job.session_key if target in (MAIN, CURRENT) and job.session_key is not UNSET else None


def due(job: ScheduledJob, *, now: int, awake_since: int, local: tzinfo = UTC) -> Due:
    """Decide what to do about a job now, by its planned time."""
    state = job.state
    if not job.enabled or state.running_at_ms is not UNSET:
        return Due()
    return decide(
        schedule_of(job, local),
        None if state.next_run_at_ms is UNSET else state.next_run_at_ms,
        now=now,
        awake_since=awake_since,
        catch_up="one" if job.catch_up is UNSET else job.catch_up,
        job=job.id,
    )


def corrected(job: ScheduledJob, *, now: int, local: tzinfo = UTC) -> ScheduledJob | None:
    """Return a job with an earlier time if its planned one comes from a clock that was ahead.

    ``None``: its time stays.
    """
    state = job.state
    planned, ran = state.next_run_at_ms, state.last_run_at_ms
    if planned is UNSET or not job.enabled or state.running_at_ms is not UNSET:
        return None
    planned_at = job.updated_at_ms if ran is UNSET else max(ran, job.updated_at_ms)
    if planned_at <= now:  # as nearly always
        return None
    at = corrected_time(schedule_of(job, local), planned, planned_at=planned_at, now=now)
    return None if at == planned else with_state(job, next_run_at_ms=at)


def run_refusal(job: ScheduledJob, mode: str, now: int) -> str | None:
    """Return why ``cron.run`` does not run a job (``not-due`` …); ``None`` if it does."""
    planned = job.state.next_run_at_ms
    if job.state.running_at_ms is not UNSET:
        return "already-running"
    if mode == "force":
        return None
    if not job.enabled:
        return "disabled"
    if mode == "due" and (planned is UNSET or planned > now):
        return "not-due"
    return None


def schedule_of(job: ScheduledJob, local: tzinfo = UTC) -> Schedule:
    """Return the schedule of a job for ``schedule.decide``."""
    schedule = job.schedule
    if isinstance(schedule, AtSchedule):
        return AtTime(time_of(schedule.at))
    if isinstance(schedule, EverySchedule):
        anchor = job.created_at_ms if schedule.anchor_ms is UNSET else schedule.anchor_ms
        return EveryInterval(schedule.every_ms, anchor)
    zone = zone_of(None if schedule.tz is UNSET else schedule.tz, local)
    stagger = 0 if schedule.stagger_ms is UNSET else offset(job.id, schedule.stagger_ms)
    return CronTimes(schedule.expr, zone, stagger)


def shown(job: ScheduledJob) -> dict[str, Any]:
    """Return a job in the form of answers, with its revision and its next and last run."""
    row: dict[str, Any] = msgspec.to_builtins(job)
    if isinstance(job.delivery, JobDelivery):
        row["delivery"] = {"mode": job.delivery.mode, **row["delivery"]}  # OpenClaw's always has it
    state: dict[str, Any] = row["state"]
    kept = msgspec.json.encode(
        msgspec.structs.replace(job, state=JobState()), order="deterministic"
    )
    digest = urlsafe_b64encode(hashlib.sha256(kept).digest()).rstrip(b"=").decode()
    row["configRevision"] = f"sha256:{digest}"
    beside = ("nextRunAtMs", "lastRunAtMs", "lastRunStatus", "lastDelivered", "lastDeliveryStatus")
    return row | {name: state[name] for name in beside if name in state}


def event_of(job: ScheduledJob, action: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event ``cron`` of a change of a job; ``more`` is of the run that it concerns."""
    row = shown(job)
    row.pop("configRevision")
    event: dict[str, Any] = {"job": row, **more, "jobId": job.id, "action": action}
    for name in ("ts", "jobName"):  # of a row of the log alone
        event.pop(name, None)
    planned = job.state.next_run_at_ms
    if planned is not UNSET and action not in ("started", "removed"):
        event["nextRunAtMs"] = planned
    return event


def _normal(schedule: JobSchedule, now: int) -> JobSchedule:
    if isinstance(schedule, AtSchedule):
        return AtSchedule(iso(time_of(schedule.at)))
    if isinstance(schedule, EverySchedule) and schedule.anchor_ms is UNSET:
        return msgspec.structs.replace(schedule, anchor_ms=now)
    return schedule


def _check_times(schedule: JobSchedule, local: tzinfo) -> None:
    if isinstance(schedule, CronSchedule):
        zone = zone_of(None if schedule.tz is UNSET else schedule.tz, local)
        check_expression(schedule.expr, zone)


def _check_past(job: ScheduledJob, now: int, local: tzinfo) -> None:
    """Refuse a past time, with a tolerance of a minute for a slow clock, and past years."""
    schedule = job.schedule
    if isinstance(schedule, CronSchedule) and next_time(schedule_of(job, local), now) is None:
        text = f"schedule.expr is in the past: {schedule.expr} has no time any more."
        raise BadJob(f"{text} Current time: {iso(now)}")
    if isinstance(schedule, AtSchedule) and (at := time_of(schedule.at)) < now - LATE_MS:
        minutes = (now - at) // 60_000
        text = f"schedule.at is in the past: {schedule.at} ({minutes} minutes ago)."
        raise BadJob(f"{text} Current time: {iso(now)}")


def _check_parts(target: str, payload: JobPayload, delivery: object) -> None:
    if target == MAIN:
        if not isinstance(payload, SystemEventPayload):
            raise BadSchedule('main cron jobs require payload.kind="systemEvent" or "script"')
        if isinstance(delivery, JobDelivery) and delivery.mode == "announce":
            text = 'cron channel delivery config is only supported for sessionTarget="isolated"'
            raise BadSchedule(text)
    elif target in (ISOLATED, CURRENT) or (target.startswith(SESSION) and target != SESSION):
        if not isinstance(payload, AgentTurnPayload):
            raise BadSchedule('isolated cron jobs require payload.kind="agentTurn"')
    else:
        raise BadSchedule("at /sessionTarget: must be main, isolated, current or session:<key>")
    if isinstance(delivery, JobDelivery) and delivery.mode == "webhook":
        to = urlsplit(delivery.to) if isinstance(delivery.to, str) else None
        if to is None or to.scheme not in ("http", "https") or not to.hostname:
            text = "cron webhook delivery requires delivery.to to be a valid http(s) URL"
            raise BadSchedule(text)


def _check_agent(job: ScheduledJob, agents: Container[str]) -> None:
    if job.agent_id is not UNSET and job.agent_id not in agents:
        raise BadJob(f"Error: cron job agent is unavailable: {job.agent_id}", UNAVAILABLE)


def _patched_payload(before: JobPayload, patch: PayloadPatch) -> JobPayload:
    given: dict[str, Any] = msgspec.to_builtins(patch)
    old: dict[str, Any] = msgspec.to_builtins(before)
    merged = old | given if old["kind"] == given["kind"] else given
    kept = {name: value for name, value in merged.items() if value is not None}
    try:
        return msgspec.convert(kept, JobPayload)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise BadSchedule(f"at /patch/payload: {error}") from None


def _laid_over(before: JobDelivery, patch: msgspec.Struct) -> JobDelivery:
    merged = msgspec.to_builtins(before) | {"mode": before.mode} | msgspec.to_builtins(patch)
    kept = {name: value for name, value in merged.items() if value is not None}
    return msgspec.convert(kept, JobDelivery)


def _planned(job: ScheduledJob, now: int, local: tzinfo) -> ScheduledJob:
    """Return a job with the time of its next run; none if it is disabled."""
    found = next_time(schedule_of(job, local), now) if job.enabled else None
    if found is None and job.enabled and isinstance(job.schedule, AtSchedule):
        at, ran = time_of(job.schedule.at), job.state.last_run_at_ms
        if now - at <= LATE_MS and (ran is UNSET or ran < at):
            found = at  # at once
    return with_state(job, next_run_at_ms=UNSET if found is None else found)


def with_state(job: ScheduledJob, **fields: Any) -> ScheduledJob:
    """Return a job with some fields of its state replaced."""
    return msgspec.structs.replace(job, state=msgspec.structs.replace(job.state, **fields))
