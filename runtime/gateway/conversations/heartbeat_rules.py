"""Decides when heartbeats are due, and interprets the answers to them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from runtime.config.timers import ActiveHours, HeartbeatConfig, milliseconds

TOKEN = "HEARTBEAT_OK"  # noqa: S105 - a word of agents
ACK_CHARACTERS = 300  # beside the word, for which an answer says no more than that; OpenClaw's
PROMPT = (
    "Look whether anything needs attention now, by what was said and by what has happened since. "
    f"Repeat nothing that is done. If nothing needs attention, reply {TOKEN}."
)
MARKS = " \t\r\n*_`.!"


def without_token(text: str) -> str | None:
    """Return the part of an answer meant for a person; ``None`` if it only reports no findings."""
    bare = text.strip(MARKS)
    found = bare.startswith(TOKEN) or bare.endswith(TOKEN)
    rest = bare.removeprefix(TOKEN).removesuffix(TOKEN).strip(MARKS) if found else text.strip()
    if not rest or (found and len(rest) <= ACK_CHARACTERS):
        return None
    return rest


def next_beat(config: HeartbeatConfig, last: int, now: int, local: tzinfo) -> int | None:
    """Return when the next heartbeat is due after the ``last`` one; ``None``: never.

    What lies outside of the active hours is put off to their beginning.
    """
    every = milliseconds(config.every)
    if not every:
        return None
    at = max(last + every, now)
    hours = config.active_hours
    return at if hours is None else _active_from(hours, at, local)


def is_active(config: HeartbeatConfig, now: int, local: tzinfo) -> bool:
    """Return whether ``now`` lies in the active hours of heartbeats."""
    hours = config.active_hours
    return hours is None or _active_from(hours, now, local) == now


def _active_from(hours: ActiveHours, at: int, local: tzinfo) -> int:
    zone = local if hours.timezone is None else _zone(hours.timezone)
    moment = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone)
    minute = moment.hour * 60 + moment.minute
    start, end = _minute(hours.start), _minute(hours.end)
    inside = start <= minute < end if start < end else minute >= start or minute < end
    if inside:
        return at
    wait = (start - minute) % 1440
    return at + wait * 60_000 - moment.second * 1000 - at % 1000


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # late, as few have one

    return ZoneInfo(name)
