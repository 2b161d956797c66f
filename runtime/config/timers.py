"""Defines the fields of scheduled jobs, hooks and heartbeats. Pure.

The fields are named as OpenClaw names them.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from ipc.hidden_fields import hide_fields
from runtime.config.errors import Problem
from runtime.config.fields import Section, Text
from workers.plugin import LOCAL, REMOTE
from workers.secrets import SecretRef

Duration = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(s|m|h|d)$")]
Clock = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
HookPath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._-]+)+$", max_length=256)]
UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class CronConfig(Section, frozen=True):
    """Scheduled jobs, which clients add with ``cron.add``."""

    enabled: Annotated[
        bool, Meta(description="Whether jobs run; while they do not, none is lost.")
    ] = True
    # OpenClaw's.
    max_concurrent_runs: Annotated[
        int, Meta(ge=1, le=1000), Meta(description="Runs of jobs at the same time; others wait.")
    ] = 8
    max_jobs: Annotated[
        int, Meta(ge=1, le=10_000), Meta(description="Jobs that are kept; more are refused.")
    ] = 1000
    allow_private: Annotated[
        bool,
        LOCAL,
        Meta(
            description="Whether results may be posted to addresses of this host and its networks."
        ),
    ] = False


@hide_fields("token")
class HooksConfig(Section, frozen=True):
    """HTTP requests that wake an agent or give it a turn, below ``path`` on the gateway's port."""

    enabled: Annotated[bool, Meta(description="Whether hooks are served; they need `token`.")] = (
        False
    )
    token: Annotated[
        Text | SecretRef | None,
        Meta(
            description="The secret of requests to hooks, as text or a reference; it must "
            "differ from that of the gateway."
        ),
    ] = None
    path: Annotated[
        HookPath,
        REMOTE,
        Meta(description="Path on the gateway's port below which hooks are served."),
    ] = "/hooks"
    max_body_bytes: Annotated[
        int, Meta(ge=1, le=256 * 1024), Meta(description="Bytes of the body of one request.")
    ] = 256 * 1024
    allow_request_session_key: Annotated[
        bool, Meta(description="Whether a request may name the session in which its agent answers.")
    ] = False
    allowed_session_key_prefixes: Annotated[
        Annotated[list[Text], Meta(min_length=1)] | None,
        Meta(description="Beginnings of the keys that a request may name; without it `hook:`."),
    ] = None
    allowed_agent_ids: Annotated[
        list[Text] | None,
        Meta(description="Agents that hooks may name; without it, or with `*`, all."),
    ] = None
    mappings: Annotated[
        list[dict[str, Any]],
        Meta(
            description="Further hooks: for each path, what its requests do; an error in one "
            "does not affect the others."
        ),
    ] = []


class ActiveHours(Section, frozen=True):
    """The hours of the day for heartbeats; 22:00 to 06:00 spans midnight."""

    start: Annotated[Clock, Meta(description="When heartbeats begin each day, such as `08:00`.")]
    end: Annotated[
        Clock,
        Meta(
            description="When they end, such as `22:00`; a time before `start` is one of the "
            "next day."
        ),
    ]
    timezone: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(
            description="The time zone of both, such as `Europe/Berlin`; without it that of the "
            "host."
        ),
    ] = None


class HeartbeatConfig(Section, frozen=True):
    """When an agent is asked regularly whether anything needs attention, in its main session."""

    every: Annotated[
        Duration,
        Meta(
            description="How often it is asked, such as `30m` or `1h`; `0m`: only after an "
            "event. Each time costs a turn."
        ),
    ] = "0m"
    prompt: Annotated[
        Text | None,
        Meta(
            description="The question; without it one that asks to answer HEARTBEAT_OK if "
            "nothing needs attention."
        ),
    ] = None
    target: Annotated[
        Literal["none", "last"],
        Meta(
            description="Where an answer other than HEARTBEAT_OK is sent: nowhere (none), or to "
            "the chat in which the main session was used last (last)."
        ),
    ] = "none"
    active_hours: Annotated[
        ActiveHours | None,
        Meta(description="The hours of the day in which it is asked; without them all."),
    ] = None


def milliseconds(duration: str) -> int:
    """Return a duration like 30m in milliseconds."""
    return int(duration[:-1]) * UNITS[duration[-1]]


def heartbeat_problems(config: HeartbeatConfig, path: str) -> list[Problem]:
    """Return the errors that the types alone do not find."""
    hours = config.active_hours
    if hours is None:
        return []
    from zoneinfo import available_timezones  # late: it reads how Python was built, in 3 ms

    found = []
    if hours.timezone is not None and hours.timezone not in available_timezones():
        text = f"is {hours.timezone!r}, no time zone; allowed: Europe/Berlin, say"
        found.append(Problem(f"{path}.activeHours.timezone", text))
    if hours.start == hours.end:
        text = "is the same as start, so no heartbeat would come; allowed: another time"
        found.append(Problem(f"{path}.activeHours.end", text))
    return found


def hooks_problems(config: HooksConfig) -> list[Problem]:
    """Return the errors in the configuration of hooks."""
    if config.enabled and config.token is None:
        text = "is true, and hooks.token is missing; allowed: with a token of their own"
        return [Problem("hooks.enabled", text)]
    return []
