"""Defines a scheduled job as OpenClaw's clients write and read it. Pure.

``NewJob`` is what ``cron.add`` takes, ``JobPatch`` what ``cron.update`` changes, ``ScheduledJob``
what is kept. Fields that are absent stay absent, as clients compare.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ipc.frames.requests import AnyNumber

Word = Annotated[str, Meta(min_length=1, max_length=512)]
Words = Annotated[list[Word], Meta(max_length=1024)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(min_length=1, max_length=256 * 1024)]
Millis = Annotated[int, Meta(ge=0, le=253_402_300_799_000)]
Interval = Annotated[int, Meta(ge=1, le=253_402_300_799_000)]
Stagger = Annotated[int, Meta(ge=0, le=86_400_000)]
RunStatus = Literal["ok", "error", "skipped"]


class JobPart(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Base of the parts of a job: an unknown field is an error."""


class AtSchedule(JobPart, frozen=True, tag_field="kind", tag="at"):
    """A single run, at an ISO 8601 time."""

    at: Word


class EverySchedule(JobPart, frozen=True, tag_field="kind", tag="every"):
    """A run every so many milliseconds from ``anchorMs`` (default: the job's creation)."""

    every_ms: Interval
    anchor_ms: Millis | UnsetType = UNSET


class CronSchedule(JobPart, frozen=True, tag_field="kind", tag="cron"):
    """The times of a cron expression, in the zone ``tz`` (default: the host's)."""

    expr: Word
    tz: Word | UnsetType = UNSET
    stagger_ms: Stagger | UnsetType = UNSET


JobSchedule = AtSchedule | EverySchedule | CronSchedule


class SystemEventPayload(JobPart, frozen=True, tag_field="kind", tag="systemEvent"):
    """A text for the main session of an agent."""

    text: Text


class AgentTurnPayload(JobPart, frozen=True, tag_field="kind", tag="agentTurn"):
    """A turn of an agent in a session of its own."""

    message: Text
    model: Word | UnsetType | None = UNSET
    thinking: Word | UnsetType | None = UNSET
    timeout_seconds: Annotated[float, Meta(ge=0, le=86_400)] | UnsetType = UNSET
    tools_allow: Words | UnsetType | None = UNSET
    light_context: bool | UnsetType = UNSET


JobPayload = SystemEventPayload | AgentTurnPayload


class JobDelivery(JobPart, frozen=True):
    """The delivery of a run's answer: to a chat (``announce``), to a URL, or none."""

    mode: Literal["none", "announce", "webhook"] = "announce"
    channel: Word | UnsetType | None = UNSET
    to: Word | UnsetType | None = UNSET
    account_id: Word | UnsetType | None = UNSET
    thread_id: str | AnyNumber | UnsetType | None = UNSET
    best_effort: bool | UnsetType = UNSET


class JobFailureAlert(JobPart, frozen=True):
    """After how many failures in a row an alert is sent, and where."""

    after: Annotated[int, Meta(ge=1, le=1000)] = 2
    cooldown_ms: Annotated[int, Meta(ge=0, le=30 * 86_400_000)] = 3_600_000
    mode: Literal["announce", "webhook"] | UnsetType = UNSET
    channel: Word | UnsetType = UNSET
    to: Word | UnsetType = UNSET
    account_id: Word | UnsetType = UNSET
    include_skipped: bool | UnsetType = UNSET


class NewJob(JobPart, frozen=True, kw_only=True):
    """The params of ``cron.add``. ``catchUp`` is ours: what to do about missed times."""

    name: Name
    schedule: JobSchedule
    session_target: Word
    wake_mode: Literal["now", "next-heartbeat"]
    payload: JobPayload
    agent_id: Word | UnsetType | None = UNSET
    session_key: Word | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=4096)] | UnsetType = UNSET
    enabled: bool = True
    delete_after_run: bool | UnsetType = UNSET
    delivery: JobDelivery | UnsetType = UNSET
    failure_alert: JobFailureAlert | Literal[False] | UnsetType = UNSET
    catch_up: Literal["one", "none"] | UnsetType = UNSET


class PayloadPatch(JobPart, frozen=True):
    """Changes of a payload: merged if of the same kind, otherwise a replacement."""

    kind: Literal["systemEvent", "agentTurn"]
    text: Text | UnsetType = UNSET
    message: Text | UnsetType = UNSET
    model: Word | UnsetType | None = UNSET
    thinking: Word | UnsetType | None = UNSET
    timeout_seconds: Annotated[float, Meta(ge=0, le=86_400)] | UnsetType = UNSET
    tools_allow: Words | UnsetType | None = UNSET
    light_context: bool | UnsetType = UNSET


class DeliveryPatch(JobPart, frozen=True):
    """Changes of a delivery, merged into it; ``null`` removes a field."""

    mode: Literal["none", "announce", "webhook"] | UnsetType = UNSET
    channel: Word | UnsetType | None = UNSET
    to: Word | UnsetType | None = UNSET
    account_id: Word | UnsetType | None = UNSET
    thread_id: str | AnyNumber | UnsetType | None = UNSET
    best_effort: bool | UnsetType = UNSET


class JobPatch(JobPart, frozen=True, kw_only=True):
    """The patch of ``cron.update``; unnamed fields stay."""

    name: Name | UnsetType = UNSET
    schedule: JobSchedule | UnsetType = UNSET
    session_target: Word | UnsetType = UNSET
    wake_mode: Literal["now", "next-heartbeat"] | UnsetType = UNSET
    payload: PayloadPatch | UnsetType = UNSET
    agent_id: Word | UnsetType | None = UNSET
    session_key: Word | UnsetType | None = UNSET
    description: Annotated[str, Meta(max_length=4096)] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    delete_after_run: bool | UnsetType = UNSET
    delivery: DeliveryPatch | UnsetType = UNSET
    failure_alert: JobFailureAlert | Literal[False] | UnsetType | None = UNSET
    catch_up: Literal["one", "none"] | UnsetType = UNSET


class JobState(JobPart, frozen=True, kw_only=True):
    """The state of a job: its planned time, its last run, its failures in a row."""

    next_run_at_ms: int | UnsetType = UNSET
    running_at_ms: int | UnsetType = UNSET
    last_run_at_ms: int | UnsetType = UNSET
    last_run_status: RunStatus | UnsetType = UNSET
    last_status: RunStatus | UnsetType = UNSET
    last_error: str | UnsetType = UNSET
    last_duration_ms: int | UnsetType = UNSET
    last_delivered: bool | UnsetType = UNSET
    last_delivery_status: str | UnsetType = UNSET
    last_failure_alert_at_ms: int | UnsetType = UNSET
    last_failure_notification_delivery_status: str | UnsetType = UNSET
    consecutive_errors: int | UnsetType = UNSET
    consecutive_skipped: int | UnsetType = UNSET
    schedule_activated_at_ms: int | UnsetType = UNSET


class ScheduledJob(JobPart, frozen=True, kw_only=True):
    """A stored job."""

    id: str
    name: Name
    schedule: JobSchedule
    session_target: Word
    wake_mode: Literal["now", "next-heartbeat"]
    payload: JobPayload
    created_at_ms: int
    updated_at_ms: int
    # Without a default, so that they are always shown.
    enabled: bool
    state: JobState
    agent_id: Word | UnsetType = UNSET
    session_key: Word | UnsetType = UNSET
    description: str | UnsetType = UNSET
    delete_after_run: bool | UnsetType = UNSET
    delivery: JobDelivery | UnsetType = UNSET
    failure_alert: JobFailureAlert | Literal[False] | UnsetType = UNSET
    catch_up: Literal["one", "none"] | UnsetType = UNSET
