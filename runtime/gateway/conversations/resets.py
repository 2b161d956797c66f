"""Decides when a conversation resets automatically: after inactivity or once a day. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

import msgspec

from runtime.config.sessions import ResetConfig

MINUTE_MS = 60_000
LATEST_MS = 250_000_000_000_000  # in the year 9892: a clock that is further on is wrong


class SessionReset(msgspec.Struct, frozen=True):
    """When a session resets (epoch milliseconds), and why."""

    at: int
    why: Literal["idle", "daily"]

    @property
    def reason(self) -> str:
        """The reason in words."""
        return {
            "idle": "nothing was said for as long as session.reset.idleMinutes",
            "daily": "the hour of session.reset.dailyHour has passed",
        }[self.why]


def next_reset(config: ResetConfig, last: int, host_zone: tzinfo) -> SessionReset | None:
    """Return when a session last used at ``last`` resets; ``None``: never.

    ``host_zone`` counts where no zone is configured.
    """
    found = []
    if config.idle_minutes is not None:
        found.append(SessionReset(last + config.idle_minutes * MINUTE_MS, "idle"))
    if config.daily_hour is not None and 0 <= last <= LATEST_MS:
        zone = host_zone if config.zone is None else _zone_of(config.zone)
        found.append(SessionReset(_next_hour(config.daily_hour, last, zone), "daily"))
    return min(found, key=lambda each: each.at, default=None)


def reset_due(config: ResetConfig, last: int, now: int, host_zone: tzinfo) -> SessionReset | None:
    """Return the reset that is due for a message at ``now``; ``None``: the session goes on."""
    found = next_reset(config, last, host_zone)
    return found if found is not None and found.at <= now else None


def _zone_of(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # late, for all processes that are forked with this module

    return ZoneInfo(name)


def _next_hour(hour: int, last: int, zone: tzinfo) -> int:
    """Return the next time after ``last`` at which that hour begins.

    On a day that lacks it, because clocks are put forward, it is when they are; of an hour that
    comes twice the first one counts.
    """
    day = datetime.fromtimestamp(last // 1000, UTC).astimezone(zone).date()
    hours = (
        datetime.combine(day + timedelta(days=later), time(hour), tzinfo=zone).timestamp()
        for later in range(3)  # a zone may leave a day out
    )
    return next(int(at) * 1000 for at in hours if int(at) * 1000 > last)
