"""Lists, makes, changes and runs scheduled jobs: ``cron.*``, in OpenClaw's shapes."""

from __future__ import annotations

import hashlib
import uuid
from itertools import count
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from ipc.errors import RemoteError
from ipc.frames.requests import NoParams, Number, Params
from ipc.frames.words import INVALID_REQUEST, UNAVAILABLE
from runtime.gateway.access.scopes import ADMIN, READ
from runtime.gateway.clients.client import ConnectedClient
from runtime.gateway.clients.method_table import TEXT_BYTES, method
from runtime.gateway.conversations.history_views import MAX_PAGE
from runtime.gateway.cron.job_types import (
    JobDelivery,
    JobPatch,
    NewJob,
    ScheduledJob,
    SystemEventPayload,
)
from runtime.gateway.cron.jobs import (
    BadJob,
    create,
    named_session,
    not_found,
    run_refusal,
    shown,
    update,
)
from runtime.gateway.cron.links import LAST, NoRoute
from runtime.gateway.cron.scheduler import Scheduler
from runtime.gateway.journal.interface import FILE
from runtime.gateway.methods.asking import changes, claimed
from runtime.gateway.parts import GatewayParts

Word = Annotated[str, Meta(min_length=1, max_length=512)]
# Fields of a turn's payload that an agent may take no notice of, and those that nothing does.
PAYLOAD = {"model": "model", "thinking": "thinking"}
IDLE = {"toolsAllow": "tools_allow", "lightContext": "light_context"}
MAX_TEXTS = 16 * 1024 * 1024  # characters of the texts of all jobs, which are in memory
NOT_REQUESTED = {"label": "not requested", "detail": "not requested"}
SORTED: dict[str, Any] = {
    "name": lambda job: job.name.lower(),
    "createdAtMs": lambda job: job.created_at_ms,
    "updatedAtMs": lambda job: job.updated_at_ms,
    "nextRunAtMs": lambda job: job.state.next_run_at_ms or 1 << 60,
}
_numbers = count(1)


class CronListParams(Params):
    """The params of ``cron.list``."""

    include_disabled: bool = False
    enabled: Literal["all", "enabled", "disabled"] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Number = 0
    query: Annotated[str, Meta(max_length=512)] = ""
    agent_id: Word | None = None
    sort_by: Literal["nextRunAtMs", "updatedAtMs", "createdAtMs", "name"] = "nextRunAtMs"
    sort_dir: Literal["asc", "desc"] = "asc"
    include_delivery_previews: bool = True
    compact: bool | None = None


class CronJobParams(Params):
    """The params that name one job, by either name of OpenClaw's."""

    id: Word | None = None
    job_id: Word | None = None

    @property
    def named(self) -> str:
        """The id of the job."""
        given = self.id or self.job_id
        if given is None:
            raise RemoteError(INVALID_REQUEST, "invalid params: must have required property 'id'")
        return given


class CronUpdateParams(CronJobParams, kw_only=True):
    """The params of ``cron.update``."""

    patch: JobPatch


class CronRunParams(CronJobParams):
    """The params of ``cron.run``."""

    mode: Literal["force", "due", "if-enabled"] = "force"


class CronRunsParams(CronJobParams):
    """The params of ``cron.runs``: of one job, else of all."""

    scope: Literal["job", "all"] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    offset: Number = 0
    status: Literal["all", "ok", "error", "skipped"] = "all"
    run_id: Word | None = None
    query: Annotated[str, Meta(max_length=512)] = ""
    sort_dir: Literal["asc", "desc"] = "desc"


@method("cron.status", READ, NoParams)
async def cron_status(parts: GatewayParts, client: ConnectedClient, params: NoParams) -> Any:
    """Answer with the number of jobs, and when the next one is due."""
    scheduler = await _ready(parts)
    path = f"{parts.boot.state_dir}/{FILE}"
    return {
        "enabled": scheduler.config.enabled,
        "triggersEnabled": False,
        "storePath": path,
        "storage": "sqlite",
        "sqlitePath": path,
        "jobs": len(scheduler.jobs),
        "nextWakeAtMs": scheduler.next_wake if scheduler.config.enabled else None,
    }


@method("cron.list", READ, CronListParams)
async def cron_list(parts: GatewayParts, client: ConnectedClient, params: CronListParams) -> Any:
    """Answer with scheduled jobs, and where the answer of each is sent."""
    scheduler = await _ready(parts)
    found = [each for each in scheduler.jobs.values() if _wanted(parts, each, params)]
    found.sort(key=SORTED[params.sort_by], reverse=params.sort_dir == "desc")
    page = _fitting(found[params.offset : params.offset + params.limit])
    rows = [shown(each) | {"effectiveAgentId": _agent(parts, each)} for each in page]
    answer = _paged("jobs", rows, len(found), params.offset, params.limit)
    digest = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
    answer["snapshotRevision"] = f"sha256:{digest}"
    if params.include_delivery_previews:
        answer["deliveryPreviews"] = {each.id: await _preview(parts, each) for each in page}
    return answer


@method("cron.get", READ, CronJobParams)
async def cron_get(parts: GatewayParts, client: ConnectedClient, params: CronJobParams) -> Any:
    """Answer with one scheduled job."""
    return shown(_job(await _ready(parts), params.named, got=True))


@method("cron.add", ADMIN, NewJob, most_bytes=TEXT_BYTES)
@changes(lambda params, answer: f"scheduled job {claimed(answer['name'])} was made")
async def cron_add(parts: GatewayParts, client: ConnectedClient, params: NewJob) -> Any:
    """Create a scheduled job; answer with it. `main` jobs inform the main session of an agent,
    others give the agent a turn. `catchUp` (ours): whether a missed time is made up for.
    `ignored` (ours) names fields of its payload that are kept and have no effect.
    """
    scheduler = await _ready(parts)
    most = scheduler.config.max_jobs
    if len(scheduler.jobs) >= most:
        text = f"there are {most} scheduled jobs; allowed: as many as cron.maxJobs. Remove some"
        raise RemoteError(INVALID_REQUEST, text)
    links = parts.timers.links
    try:
        job = create(
            str(uuid.uuid4()),
            params,
            now=links.now(),
            agents=parts.agents.names,
            local=links.zone(),
        )
    except BadJob as error:
        raise _refusal(error) from None
    _require_room(scheduler, job)
    _check_session(parts, job)
    _check_targets(parts, job)
    await links.perform(scheduler.save(job, "added"))
    return shown(job) | {"deliveryPreview": await _preview(parts, job)} | _ignored(parts, job)


@method("cron.update", ADMIN, CronUpdateParams, most_bytes=TEXT_BYTES)
@changes(lambda params, answer: f"scheduled job {claimed(answer['name'])} was changed")
async def cron_update(
    parts: GatewayParts, client: ConnectedClient, params: CronUpdateParams
) -> Any:
    """Change a scheduled job; answer with it."""
    scheduler, links = await _ready(parts), parts.timers.links
    before = _job(scheduler, params.named)
    try:
        job = update(
            before,
            params.patch,
            now=links.now(),
            agents=parts.agents.names,
            local=links.zone(),
        )
    except BadJob as error:
        raise _refusal(error) from None
    given = params.patch
    if given.payload is not UNSET:
        _require_room(scheduler, job)
    if any(each is not UNSET for each in (given.agent_id, given.session_key, given.session_target)):
        _check_session(parts, job)
    if any(each is not UNSET for each in (given.delivery, given.failure_alert)):
        _check_targets(parts, job)
    await links.perform(scheduler.save(job, "updated"))
    return shown(job) | _ignored(parts, job)


@method("cron.remove", ADMIN, CronJobParams)
@changes(lambda params, answer: f"scheduled job {claimed(params.named)} was removed")
async def cron_remove(parts: GatewayParts, client: ConnectedClient, params: CronJobParams) -> Any:
    """Remove a scheduled job; a current run of it ends."""
    scheduler = await _ready(parts)
    await parts.timers.links.perform(scheduler.remove(_job(scheduler, params.named)))
    return {"ok": True, "removed": True}


@method("cron.run", ADMIN, CronRunParams)
@changes(
    lambda params, answer: (
        f"scheduled job {claimed(params.named)} was run" if "runId" in answer else ""
    )
)
async def cron_run(parts: GatewayParts, client: ConnectedClient, params: CronRunParams) -> Any:
    """Run a scheduled job now. Its run has begun, and is stored, when this is answered; its planned
    time does not change.
    """
    scheduler = await _ready(parts)
    job, now = _job(scheduler, params.named), parts.timers.links.now()
    who = {"processInstanceId": parts.boot_id}
    refused = scheduler.refusal(job) or run_refusal(job, params.mode, now)
    if refused is not None:
        return {"ok": True, "ran": False, "reason": refused} | who
    if scheduler.is_full:
        text = "as many jobs run as may at the same time (cron.maxConcurrentRuns); try again later"
        raise RemoteError(UNAVAILABLE, text, retryable=True)
    run = f"manual:{job.id}:{now}:{next(_numbers)}"
    await parts.timers.links.perform(scheduler.begin(job, run))
    return {"ok": True, "enqueued": True, "runId": run} | who


@method("cron.runs", READ, CronRunsParams)
async def cron_runs(parts: GatewayParts, client: ConnectedClient, params: CronRunsParams) -> Any:
    """Answer with the runs of a job, or of all, and their outcomes; the newest first."""
    scheduler = await _ready(parts)
    job = params.id or params.job_id
    if params.scope == "all":
        job = None
    elif job is None:
        raise RemoteError(INVALID_REQUEST, "invalid cron.runs params: missing id")
    elif job not in scheduler.jobs and not scheduler.log.of(job):
        raise _refusal(not_found(job))
    words = params.query.lower()
    found = [
        each
        for each in scheduler.log.of(job)
        if params.status in ("all", each.status)
        and params.run_id in (None, each.run_id)
        and words in f"{each.job_name} {each.summary or ''} {each.error or ''}".lower()
    ]
    if params.sort_dir == "asc":
        found.reverse()
    page = found[params.offset : params.offset + params.limit]
    rows = [msgspec.to_builtins(each) for each in page]
    return _paged("entries", rows, len(found), params.offset, params.limit)


async def _ready(parts: GatewayParts) -> Scheduler:
    await parts.timers.ready()
    await parts.asking.journal()
    scheduler: Scheduler = parts.timers.scheduler
    return scheduler


def _job(scheduler: Scheduler, id: str, *, got: bool = False) -> ScheduledJob:
    job = scheduler.jobs.get(id)
    if job is None:
        raise _refusal(not_found(id, got=got))
    return job


def _refusal(error: BadJob) -> RemoteError:
    details = error.details.get("details")
    return RemoteError(error.code, str(error), details=details)


def _agent(parts: GatewayParts, job: ScheduledJob) -> str:
    return parts.timers.links.agent_of(job)


def _check_session(parts: GatewayParts, job: ScheduledJob) -> None:
    """Raise ``RemoteError`` unless the session that a job names is one of its agent, if any."""
    session = named_session(job)
    if session is not None:
        parts.asking.answered_key(session, None if job.agent_id is UNSET else job.agent_id)


def _check_targets(parts: GatewayParts, job: ScheduledJob) -> None:
    try:
        parts.timers.scheduler.delivery.require_targets(job)
    except NoRoute as error:
        raise RemoteError(INVALID_REQUEST, f"invalid delivery: {error}") from None


def _wanted(parts: GatewayParts, job: ScheduledJob, params: CronListParams) -> bool:
    which = params.enabled or ("all" if params.include_disabled else "enabled")
    if which != "all" and job.enabled != (which == "enabled"):
        return False
    if params.agent_id and parts.agents.named(params.agent_id) != _agent(parts, job):
        return False
    about = "" if job.description is UNSET else job.description
    return params.query.lower() in f"{job.id} {job.name} {about}".lower()


def _fitting(jobs: list[ScheduledJob]) -> list[ScheduledJob]:
    """Return the first jobs that fit on a page; at least one, if there is any."""
    size = 0
    for number, job in enumerate(jobs):
        size += _length(job)
        if number and size > MAX_PAGE:
            return jobs[:number]
    return jobs


def _length(job: ScheduledJob) -> int:
    payload = job.payload
    return len(payload.text if isinstance(payload, SystemEventPayload) else payload.message)


def _require_room(scheduler: Scheduler, job: ScheduledJob) -> None:
    """Raise ``RemoteError`` if the texts of all jobs with this one would be too long."""
    length = _length(job) + sum(
        _length(each) for each in scheduler.jobs.values() if each.id != job.id
    )
    if length > MAX_TEXTS:
        text = (
            f"the texts of all scheduled jobs would have {length} characters; allowed: {MAX_TEXTS}"
        )
        raise RemoteError(INVALID_REQUEST, text)


async def _preview(parts: GatewayParts, job: ScheduledJob) -> dict[str, str]:
    """Return where the answer of a job would go now, in words."""
    delivery = job.delivery
    if not isinstance(delivery, JobDelivery) or delivery.mode == "none":
        return NOT_REQUESTED
    if delivery.mode == "webhook":
        return {"label": f"webhook -> {delivery.to}", "detail": "explicit"}
    named = delivery.channel if isinstance(delivery.channel, str) else LAST
    explicit = named != LAST or isinstance(delivery.to, str)
    try:
        agent = _agent(parts, job)
        found = await parts.timers.scheduler.delivery.route(agent, delivery)
    except NoRoute as error:
        detail = f"{named} -> no route, will fail-closed: {error}"
        return {"label": f"announce -> {named}", "detail": detail}
    channel = found.account.partition(":")[0]
    label = f"announce -> {channel}:{found.to}"
    return {"label": label, "detail": "explicit" if explicit else f"{LAST} -> {channel}"}


def _paged(
    name: str, rows: list[dict[str, Any]], total: int, offset: int, limit: int
) -> dict[str, Any]:
    after = offset + len(rows)
    more = after < total
    return {
        name: rows,
        "total": total,
        "offset": offset,
        "limit": limit,
        "hasMore": more,
        "nextOffset": after if more else None,
    }


def _ignored(parts: GatewayParts, job: ScheduledJob) -> dict[str, Any]:
    """Return which fields of its turns a job has and nothing takes notice of."""
    payload = job.payload
    if isinstance(payload, SystemEventPayload):
        return {}

    def given(names: dict[str, str]) -> list[str]:
        return [wire for wire, name in names.items() if getattr(payload, name) not in (UNSET, None)]

    agent = _agent(parts, job)
    idle = [*given(IDLE), *parts.agents.ignored_fields(agent, given(PAYLOAD))]
    return {"ignored": idle} if idle else {}
