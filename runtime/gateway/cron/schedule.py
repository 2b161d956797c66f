"""Decides when a scheduled job is due, and what to do about missed times. Pure.

A job has one planned time, which is kept with it. Its run and the next planned time, which lies
after both the planned one and now, become one record before the run begins: whatever dies or
whichever way the clock is set, no planned time begins two runs. Only where the clock was hours
ahead, the planned time is corrected: else the job would wait until that time comes again.

Expressions are those of cron, read by ``cronsim``, which does as Debian's cron where a clock is
set: a time of day that does not exist is the first moment after the gap, one that comes twice
counts once, and what is written with a ``*`` goes by real time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Literal

import msgspec

SPREAD_MS = 60_000  # over which runs that were missed together begin
GRACE_MS = 60_000  # a planned time that passed so shortly before is late, not missed
# A clock that is set back by more than that was wrong, as for Debian's cron: the new time counts.
CORRECTION_MS = 3 * 3_600_000
MAX_EXPRESSION = 256
MAX_TRIES = 1000  # times before the wanted moment that an expression may give
FIRST_YEAR, LAST_YEAR = 1970, 2099
# The longest time that any date can have: the year 9999.
MAX_MS = 253_402_300_799_000
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

CatchUp = Literal["one", "none"]


class BadSchedule(ValueError):
    """A schedule is not valid; the text is OpenClaw's, if it has one."""


class AtTime(msgspec.Struct, frozen=True):
    """A single time in milliseconds."""

    at: int


class EveryInterval(msgspec.Struct, frozen=True):
    """Times every ``every`` milliseconds from ``anchor``."""

    every: int
    anchor: int


class CronTimes(msgspec.Struct, frozen=True):
    """The times of a cron expression in a zone, each delayed by ``stagger`` milliseconds."""

    expression: str
    zone: tzinfo = UTC
    stagger: int = 0


Schedule = AtTime | EveryInterval | CronTimes


class Due(msgspec.Struct, frozen=True):
    """What to do about a job now. Times in milliseconds.

    ``wait``: look again at that time. ``run``: begin the run of that planned time. ``skipped``: it
    was missed, and is not made up for. With the last two ``next`` is the planned time from then on,
    ``None`` when there is none. Nothing of all: there is nothing to do any more.
    """

    wait: int | None = None
    run: int | None = None
    skipped: int | None = None
    next: int | None = None


def decide(
    schedule: Schedule,
    planned: int | None,
    *,
    now: int,
    awake_since: int,
    catch_up: CatchUp = "one",
    job: str = "",
) -> Due:
    """Decide what to do about a job, by its stored ``planned`` time.

    ``awake_since`` is when the gateway started, or its host woke up. What was planned before that
    was missed; however often, it is made up for by one run, or by none.
    """
    if planned is None:
        return Due()
    if now < planned:
        return Due(wait=planned)
    missed = planned < awake_since - GRACE_MS
    if missed and catch_up == "one" and now < (begin := awake_since + offset(job, SPREAD_MS)):
        return Due(wait=begin)
    following = next_time(schedule, now)
    if missed and catch_up == "none":
        return Due(skipped=planned, next=following)
    return Due(run=planned, next=following)


def corrected_time(schedule: Schedule, planned: int, *, planned_at: int, now: int) -> int:
    """Return the ``planned`` time, or an earlier one if it comes from a clock that was ahead.

    ``planned_at`` is when it was planned, by the clock of that time.
    """
    if planned <= now or planned_at - now <= CORRECTION_MS:
        return planned
    following: int | None
    if isinstance(schedule, AtTime):  # a new try after a failure is later than the time itself
        following = max(schedule.at, now)
    elif isinstance(schedule, EveryInterval) and schedule.anchor <= planned_at:
        # The anchor may be of the same clock. What lay ahead even of that is a wish.
        following = now + ((schedule.anchor - now) % schedule.every or schedule.every)
    else:
        following = next_time(schedule, now)
    return planned if following is None else min(planned, following)


def next_time(schedule: Schedule, after: int) -> int | None:
    """Return the first time of a schedule after ``after``, ``None`` when there is none."""
    if isinstance(schedule, AtTime):
        return schedule.at if schedule.at > after else None
    if isinstance(schedule, EveryInterval):
        return _next_of_interval(schedule, after)
    found = _next_of_expression(schedule, after - schedule.stagger)
    return None if found is None else found + schedule.stagger


def offset(job: str, window: int) -> int:
    """Return the delay of a job within a window in milliseconds, always the same for a job."""
    if window <= 0:
        return 0
    return int.from_bytes(hashlib.sha256(job.encode()).digest()[:8]) % window


def check_expression(expression: str, zone: tzinfo = UTC) -> None:
    """Raise ``BadSchedule`` for an expression that is malformed or never due."""
    words = _words(expression)
    try:
        found = _next_of_words(words, datetime.fromtimestamp(0, UTC), zone)
    except (AssertionError, ValueError, OverflowError) as error:
        text = str(error) or "it cannot be read"
        raise BadSchedule(f"CronPattern: Invalid expression ('{expression}'): {text}") from None
    if found is None:
        raise BadSchedule(f"CronPattern: Invalid expression ('{expression}'): it has no time")


def zone_of(name: str | None, local: tzinfo = UTC) -> tzinfo:
    """Return the time zone of a name (``local`` without one); raises ``BadSchedule``."""
    if name is None:
        return local
    from zoneinfo import ZoneInfo  # late: it reads how Python was built, in 3 ms

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise BadSchedule(
            f"unknown time zone: {name[:80]!r}; allowed: Europe/Berlin, say"
        ) from None


def time_of(text: str) -> int:
    """Return the milliseconds of a time as ISO 8601, in UTC where it has no zone, or of a number.

    Raises ``BadSchedule``.
    """
    text = text.strip()
    try:
        if text.isascii() and text.isdecimal() and len(text) > 8:
            found = int(text)  # refuses thousands of digits itself
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            found = milliseconds(moment)
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found <= MAX_MS:
        raise BadSchedule(f"schedule.at is no time: {text[:80]}; allowed: ISO 8601")
    return found


def iso(at: int) -> str:
    """Return a time as OpenClaw writes it: in UTC, with three digits of the second."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03}Z"


def milliseconds(moment: datetime) -> int:
    """Return a moment in milliseconds, without the errors of a float."""
    since = moment - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _next_of_interval(schedule: EveryInterval, after: int) -> int:
    if after < schedule.anchor:
        return schedule.anchor
    return schedule.anchor + ((after - schedule.anchor) // schedule.every + 1) * schedule.every


def _next_of_expression(schedule: CronTimes, after: int) -> int | None:
    start = datetime.fromtimestamp(max(after, 0) // 1000, UTC)
    try:
        found = _next_of_words(_words(schedule.expression), start, schedule.zone)
    except (AssertionError, ValueError, OverflowError):
        return None
    return None if found is None else milliseconds(found)


def _words(expression: str) -> list[str]:
    """Return the fields of an expression: seconds, five of cron, years; raises ``BadSchedule``."""
    words = NICKNAMES.get(expression.strip().lower(), expression).split()
    if not 5 <= len(words) <= 7 or len(expression) > MAX_EXPRESSION:
        raise BadSchedule(
            f"CronPattern: invalid configuration format ('{expression[:MAX_EXPRESSION]}'), exactly "
            "five, six, or seven space separated parts are required."
        )
    first = 2 if len(words) == 5 else 3
    for place in (first, first + 2):  # the days of the month, and of the week
        if words[place] == "?":
            words[place] = "*"
    return words


def _next_of_words(words: list[str], after: datetime, zone: tzinfo) -> datetime | None:
    """Return the first time after ``after``, of the years in the seventh field, if there is one."""
    if len(words) < 7:
        return _first_after(words[:6], after, after, zone)
    for year in sorted(_years(words[6])):
        if year < after.astimezone(zone).year:
            continue
        start = max(after, datetime(year, 1, 1, tzinfo=zone).astimezone(UTC) - _SECOND)
        found = _first_after(words[:6], start, after, zone)
        if found is not None and found.year == year:
            return found
    return None


def _first_after(
    words: list[str], start: datetime, after: datetime, zone: tzinfo
) -> datetime | None:
    """Return the first time from ``start`` on that lies after ``after``.

    In the second of two equal hours the library begins with the first one, and so with times that
    are past.
    """
    from cronsim import CronSim, CronSimError  # late: few gateways have such a job

    times: Iterator[datetime]
    try:
        times = CronSim(" ".join(words), start.astimezone(zone))
    except CronSimError as error:
        raise ValueError(str(error)) from None
    for found in islice(times, MAX_TRIES):
        if found.astimezone(UTC) > after:
            return found
    return None


def _years(field: str) -> set[int]:
    """Return the years of the seventh field; raises ``ValueError``."""
    years: set[int] = set()
    for term in field.split(","):
        span, slash, step = term.partition("/")
        first, dash, last = ("1970", "-", "2099") if span == "*" else span.partition("-")
        begin = int(first)
        end = int(last) if dash else LAST_YEAR if slash else begin
        if not FIRST_YEAR <= begin <= end <= LAST_YEAR:
            raise ValueError("Bad year")
        years |= set(range(begin, end + 1, int(step) if slash else 1))
    return years


_SECOND = datetime.fromtimestamp(1, UTC) - datetime.fromtimestamp(0, UTC)
