"""When jobs are due: over gaps and doubled hours, missed times, and never twice."""

from __future__ import annotations

import random
import re
import time
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.gateway.cron.schedule import (
    CORRECTION_MS,
    GRACE_MS,
    SPREAD_MS,
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
    milliseconds,
    next_time,
    offset,
    time_of,
    zone_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # whose clock is set by half an hour
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


def times(expression: str, after: str, count: int, zone: ZoneInfo = BERLIN) -> str:
    """Return the next times of an expression in its zone: day, time, distance from UTC."""
    found, at = [], ms(after)
    for _ in range(count):
        following = next_time(CronTimes(expression, zone), at)
        assert following is not None
        at = following
        text = f"{datetime.fromtimestamp(at / 1000, zone):%m-%d %H:%M:%S%z}"
        found.append(_short(text))
    return ", ".join(found)


def _short(text: str) -> str:
    """Return a time without seconds and minutes of the zone that are zero."""
    return re.sub(r":00(?=[+-])", "", text).removesuffix("00")


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        # The gap: 2026-03-29, 02:00 is 03:00.
        ("30 2 * * *", "2026-03-28T12:00+01:00", "03-29 03:00+02, 03-30 02:30+02"),
        ("0 2 * * *", "2026-03-28T12:00+01:00", "03-29 03:00+02, 03-30 02:00+02"),
        ("59 2 29 3 *", "2026-03-28T12:00+01:00", "03-29 03:00+02"),
        (
            "30 1,2,3 * * *",
            "2026-03-29T01:00+01:00",
            "03-29 01:30+01, 03-29 03:00+02, 03-29 03:30+02",
        ),
        (
            "*/30 * * * *",
            "2026-03-29T01:15+01:00",
            "03-29 01:30+01, 03-29 03:00+02, 03-29 03:30+02",
        ),
        ("30 * * * *", "2026-03-29T01:15+01:00", "03-29 01:30+01, 03-29 03:30+02"),
        # The doubled hour: 2026-10-25, 03:00 is 02:00.
        ("30 2 * * *", "2026-10-24T12:00+02:00", "10-25 02:30+02, 10-26 02:30+01"),
        ("0 3 * * *", "2026-10-24T12:00+02:00", "10-25 03:00+01, 10-26 03:00+01"),
        # once, and that is over
        ("45 2 * * *", "2026-10-25T02:35+01:00", "10-26 02:45+01"),
        ("15,45 2 * * *", "2026-10-25T02:30+02:00", "10-25 02:45+02, 10-26 02:15+01"),
        (
            "*/30 * * * *",
            "2026-10-25T01:45+02:00",
            "10-25 02:00+02, 10-25 02:30+02, 10-25 02:00+01, 10-25 02:30+01, 10-25 03:00+01",
        ),
        ("30 * * * *", "2026-10-25T01:45+02:00", "10-25 02:30+02, 10-25 02:30+01, 10-25 03:30+01"),
        # Ordinary ones, and what goes beyond the five fields.
        ("0 9 * * 1", "2026-11-28T18:23+01:00", "11-30 09:00+01"),
        ("0 9 * * MON-FRI", "2026-11-28T18:23+01:00", "11-30 09:00+01"),
        ("0 0 9 * * ?", "2026-11-28T18:23+01:00", "11-29 09:00+01"),
        ("15 30 9 * * *", "2026-11-28T18:23+01:00", "11-29 09:30:15+01"),
        ("0 0 0 1 1 * 2030", "2026-11-28T18:23+01:00", "01-01 00:00+01"),
        ("0 0 0 1 1 * *", "2026-11-28T18:23+01:00", "01-01 00:00+01"),
        ("0 0 L * *", "2026-02-01T00:00+01:00", "02-28 00:00+01, 03-31 00:00+02"),
        ("0 0 * * 5L", "2026-11-01T00:00+01:00", "11-27 00:00+01"),
        ("0 0 29 2 *", "2026-11-28T18:23+01:00", "02-29 00:00+01"),
        ("0 0 13 * 5", "2026-11-01T00:00+01:00", "11-06 00:00+01, 11-13 00:00+01"),
        ("@hourly", "2026-11-28T18:23+01:00", "11-28 19:00+01"),
        ("@Daily", "2026-11-28T18:23+01:00", "11-29 00:00+01"),
    ],
)
def test_the_times_of_an_expression(expression: str, after: str, expected: str) -> None:
    assert times(expression, after, expected.count(",") + 1) == expected


@pytest.mark.parametrize(
    "expression",
    [
        *("0 9 ? * 1", "0 0 9 ? * 1", "0 0 9 ? * MON *", "0 0 9 ? * 1 2026/1"),
        *("0 9 30 * ?", "0 0 9 30 * ?", "0 0 9 30 * ? *", "0 9 30 11 ?"),
    ],
)
def test_a_day_of_the_week_or_of_the_month_may_be_left_open(expression: str) -> None:
    assert times(expression, "2026-11-28T18:23+01:00", 1) == "11-30 09:00+01"


def test_a_zone_may_be_set_by_half_an_hour() -> None:
    found = times("15 2 * * *", "2026-10-03T12:00+10:30", 2, LORD_HOWE)
    assert found == "10-04 02:30+11, 10-05 02:15+11"


def test_years_are_chosen_by_the_seventh_field() -> None:
    found, at = [], ms("2026-11-28T00:00+00:00")
    for _ in range(4):
        at = next_time(CronTimes("0 0 0 1 1 * 2028-2032/2,2099"), at) or 0
        found.append(iso(at)[:10])
    assert found == ["2028-01-01", "2030-01-01", "2032-01-01", "2099-01-01"]
    assert next_time(CronTimes("0 0 0 1 1 * 2028-2032/2,2099"), at) is None
    assert next_time(CronTimes("0 0 0 1 1 * 2020"), at) is None
    start = ms("2026-11-28T00:00+00:00")
    for years, first in (
        ("*/50", 2070),
        ("2026-2028", 2027),
        ("2020/4", 2028),
        ("2030", 2030),
        ("1970-2099/129", 2099),
        ("2027,2032", 2027),
    ):
        found_at = next_time(CronTimes(f"0 0 0 1 1 * {years}"), start)
        assert found_at is not None
        assert iso(found_at)[:10] == f"{first}-01-01"
    assert next_time(CronTimes("0 0 0 1 1 * 1970"), start) is None
    leap = next_time(CronTimes("0 0 0 29 2 * 2027,2032"), start)
    assert leap == ms("2032-02-29T00:00+00:00"), "2028 is not among them"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            "nonsense",
            "CronPattern: invalid configuration format ('nonsense'), exactly five, six, or seven "
            "space separated parts are required.",
        ),
        ("", "exactly five, six, or seven"),
        ("* * * *", "exactly five, six, or seven"),
        ("* * * * * * * *", "exactly five, six, or seven"),
        ("60 * * * *", "Bad minute"),
        ("* 24 * * *", "Bad hour"),
        ("* * 0 * *", "Bad day-of-month"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("* * * 13 *", "Bad month"),
        ("* * * * 8", "Bad day-of-week"),
        ("*/0 * * * *", "Bad minute"),
        ("5-1 * * * *", "Bad minute"),
        ("? * * * *", "Bad minute"),
        ("* * * ? *", "Bad month"),
        ("0 * * * ? *", "Bad month"),
        ("0 * * * ? * 2030", "Bad month"),
        ("0 0 */31 2 1#5", "it has no time"),
        ("0 0 0 1 1 * 1969", "Bad year"),
        ("0 0 0 1 1 * 2100", "Bad year"),
        ("0 0 0 1 1 * 2030-2029", "Bad year"),
        ("0 0 0 29 2 * 2027", "it has no time"),
        ("0 0 0 1 1 * x", "Invalid expression"),
        ("0 0 0 1 1 * 2030/0", "Invalid expression"),
        ("@reboot", "exactly five, six, or seven"),
        ("1," * 200 + "1 * * * *", "exactly five, six, or seven"),
        ("L/2 * * * *", "Bad minute"),
        ("0 0 L-1 * *", "Bad day-of-month"),
        ("-1 * * * *", "Bad minute"),
        ("٣ * * * *", "Bad minute"),
    ],
)
def test_what_is_no_expression_is_refused(expression: str, text: str) -> None:
    with pytest.raises(BadSchedule) as refused:
        check_expression(expression, BERLIN)
    said = str(refused.value)
    whole = text.startswith(("Bad", "it has"))
    assert said.endswith(f": {text}") if whole else text in said
    shown = f"('{expression[:256]}')"
    forms = ("Invalid expression", "invalid configuration format")
    assert said.startswith(tuple(f"CronPattern: {form} {shown}" for form in forms))


@pytest.mark.parametrize("expression", ["0" * 248 + " * * * *", "0 0 0 1 1 * 1970-2099"])
def test_the_longest_expression_and_all_years_are_taken(expression: str) -> None:
    check_expression(expression, BERLIN)
    if expression.endswith("*"):
        with pytest.raises(BadSchedule, match="exactly five, six, or seven"):
            check_expression(f"0{expression}", BERLIN)


WORDS = st.sampled_from(
    ["*", "?", "L", "LW", "5L", "1#2", "*/5", "0", "59", "1-5", "MON", "2,3", "x"]
)


@given(st.lists(WORDS, min_size=4, max_size=8), st.integers(0, 4 * 10**12))
def test_any_expression_is_refused_or_goes_forward(words: list[str], after: int) -> None:
    expression = " ".join(words)
    try:
        check_expression(expression, BERLIN)
    except BadSchedule:
        return
    found = next_time(CronTimes(expression, BERLIN), after)
    assert found is None or found > after


@pytest.mark.parametrize(
    ("schedule", "after", "found"),
    [
        (AtTime(1000), 999, 1000),
        (AtTime(1000), 1000, None),
        (EveryInterval(100, 1000), 0, 1000),
        (EveryInterval(100, 1000), 999, 1000),
        (EveryInterval(100, 1000), 1000, 1100),
        (EveryInterval(100, 1000), 1099, 1100),
        (EveryInterval(100, 1000), 1100, 1200),
        (EveryInterval(3_600_000, 1795887817035), 1795887817035, 1795891417035),  # as recorded
        (CronTimes("* * * * *"), 0, 60_000),
        (CronTimes("* * * * *"), 59_999, 60_000),
        (CronTimes("* * * * *"), 60_000, 120_000),
        (CronTimes("* * * * *", stagger=7), 60_000, 60_007),
        (CronTimes("* * * * *", stagger=7), 60_007, 120_007),
    ],
)
def test_the_next_time_comes_after(schedule: Schedule, after: int, found: int | None) -> None:
    assert next_time(schedule, after) == found


EVERY = EveryInterval(HOUR, 0)
NOON = 12 * HOUR


@pytest.mark.parametrize(
    ("planned", "now", "awake", "catch_up", "due"),
    [
        (None, NOON, 0, "one", Due()),
        (NOON, NOON - 1, 0, "one", Due(wait=NOON)),
        (NOON, NOON, 0, "one", Due(run=NOON, next=NOON + HOUR)),
        # Late, by a busy host or a short restart: it runs, whatever is to be made up for.
        (NOON, NOON + 5000, 0, "none", Due(run=NOON, next=NOON + HOUR)),
        (NOON, NOON + 61_000, NOON + GRACE_MS, "none", Due(run=NOON, next=NOON + HOUR)),
        # Late by more than an interval: once, not once for each.
        (NOON, NOON + 5 * HOUR + 1, 0, "one", Due(run=NOON, next=NOON + 6 * HOUR)),
        # Missed.
        (NOON, NOON + DAY, NOON + DAY, "none", Due(skipped=NOON, next=NOON + DAY + HOUR)),
        (NOON, NOON + DAY, NOON + DAY, "one", Due(wait=NOON + DAY + offset("j", SPREAD_MS))),
        (NOON, NOON + DAY + SPREAD_MS, NOON + DAY, "one", Due(run=NOON, next=NOON + DAY + HOUR)),
        (
            NOON,
            NOON + DAY + offset("j", SPREAD_MS),
            NOON + DAY,
            "one",
            Due(run=NOON, next=NOON + DAY + HOUR),
        ),
        (NOON, NOON + 60_002, NOON + GRACE_MS + 1, "none", Due(skipped=NOON, next=NOON + HOUR)),
        # The clock was set back after the planned time had been taken.
        (NOON + HOUR, NOON - HOUR, 0, "one", Due(wait=NOON + HOUR)),
    ],
)
def test_what_is_to_be_done(
    planned: int | None, now: int, awake: int, catch_up: str, due: Due
) -> None:
    assert decide(EVERY, planned, now=now, awake_since=awake, catch_up=catch_up, job="j") == due  # type: ignore[arg-type]


def test_a_job_for_one_time_is_made_up_for_or_over() -> None:
    at = AtTime(NOON)
    late: dict[str, Any] = {"now": NOON + DAY + SPREAD_MS, "awake_since": NOON + DAY}
    assert decide(at, NOON, **late) == Due(run=NOON)
    assert decide(at, NOON, **late, catch_up="none") == Due(skipped=NOON)
    # Without a name it has a place within the minute all the same.
    begin = NOON + DAY + offset("", SPREAD_MS)
    assert decide(at, NOON, now=NOON + DAY, awake_since=NOON + DAY) == Due(wait=begin)
    # A new try after a failure is planned later than its time.
    assert decide(at, NOON + 30_000, now=NOON + 30_000, awake_since=0) == Due(run=NOON + 30_000)


YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("schedule", "planned", "planned_at", "corrected"),
    [
        # It was planned now, or a little later: the clock was set as clocks are.
        (EVERY, NOON + HOUR, NOON, NOON + HOUR),
        (EVERY, NOON + 4 * HOUR, NOON + CORRECTION_MS, NOON + 4 * HOUR),
        # The clock was ahead: by hours, by a year.
        (EVERY, NOON + 4 * HOUR, NOON + CORRECTION_MS + 1, NOON + HOUR),
        (EVERY, NOON + YEAR + HOUR, NOON + YEAR, NOON + HOUR),
        (EVERY, NOON - 1, NOON + YEAR, NOON - 1),
        (EVERY, NOON, NOON + YEAR, NOON),
        (CronTimes("0 9 * * *"), YEAR + 9 * HOUR, NOON + YEAR, DAY + 9 * HOUR),
        (CronTimes("0 0 0 1 1 * 1970"), YEAR, NOON + YEAR, YEAR),
        # The anchor comes from that clock, too, or lay ahead even of that.
        (EveryInterval(HOUR, NOON + YEAR + 5), NOON + YEAR + HOUR + 5, NOON + YEAR + 6, NOON + 5),
        (EveryInterval(HOUR, NOON + 2 * YEAR), NOON + 2 * YEAR, NOON + YEAR, NOON + 2 * YEAR),
        # One time is as far away as it was said to be; a new try after it is not.
        (AtTime(NOON + DAY), NOON + DAY, NOON + YEAR, NOON + DAY),
        (AtTime(NOON + DAY), NOON + YEAR + MINUTE, NOON + YEAR, NOON + DAY),
        (AtTime(NOON - DAY), NOON + YEAR + MINUTE, NOON + YEAR, NOON),
    ],
)
def test_a_time_planned_by_a_clock_that_was_ahead_is_corrected(
    schedule: Schedule, planned: int, planned_at: int, corrected: int
) -> None:
    found = corrected_time(schedule, planned, planned_at=planned_at, now=NOON)
    assert found == corrected
    again = corrected_time(schedule, found, planned_at=planned_at, now=NOON)
    assert again == corrected, "it stays where it was put"


@given(st.integers(0, 4), st.integers(0, 10 * YEAR), st.integers(0, 10 * YEAR))
def test_however_far_a_clock_was_ahead_no_job_waits_for_longer_than_its_schedule_says(
    which: int, ahead: int, back: int
) -> None:
    schedule, start = SCHEDULES[which], ms("2026-10-24T20:00+00:00")
    planned_at, now = start + ahead, start + ahead - back
    planned = next_time(schedule, planned_at)
    if planned is None:
        return
    found = corrected_time(schedule, planned, planned_at=planned_at, now=now)
    assert min(now, planned) <= found <= planned
    following = next_time(schedule, now)
    assert following is not None
    if back > CORRECTION_MS and now > 0 and not isinstance(schedule, EveryInterval):
        assert found == min(planned, following)
    if back > CORRECTION_MS and isinstance(schedule, EveryInterval):
        assert found - now <= schedule.every


def test_missed_runs_begin_over_a_minute() -> None:
    offsets = [offset(f"job {n}", SPREAD_MS) for n in range(600)]
    assert all(0 <= each < SPREAD_MS for each in offsets)
    in_seconds = [sum(each // 6000 == tenth for each in offsets) for tenth in range(10)]
    assert min(in_seconds) > 30
    assert offset("job 1", 0) == 0
    assert offset("job 1", 1) == 0
    # A job keeps its place over releases too.
    assert (offset("job 1", SPREAD_MS), offset("", SPREAD_MS)) == (45494, 21652)


SCHEDULES: list[Schedule] = [
    EveryInterval(7 * MINUTE, 1234),
    EveryInterval(10_000, 0),
    CronTimes("*/15 * * * *", BERLIN),
    CronTimes("30 2 * * *", BERLIN, stagger=1500),
    AtTime(ms("2026-10-25T01:30+00:00")),
]


@pytest.mark.parametrize("seed", range(40))
def test_no_planned_time_runs_twice_whatever_dies_and_however_clocks_are_set(seed: int) -> None:
    chance = random.Random(seed)
    schedule = SCHEDULES[seed % len(SCHEDULES)]
    catch_up = chance.choice(["one", "none"])
    now = ms("2026-10-24T20:00+00:00")
    planned, awake = next_time(schedule, now), now
    taken: list[int] = []
    for _ in range(400):
        due = decide(schedule, planned, now=now, awake_since=awake, catch_up=catch_up, job="j")  # type: ignore[arg-type]
        assert sum(each is not None for each in (due.wait, due.run, due.skipped)) <= 1
        if due.wait is not None:
            assert due.wait > now
        took = due.run if due.run is not None else due.skipped
        if took is not None:
            assert took == planned <= now  # type: ignore[operator]
            taken.append(took)
            assert due.next is None or due.next > max(now, took)
            planned = due.next
        step = chance.choice(["wait", "wait", "little", "restart", "long restart", "set back"])
        if step == "wait":
            now = max(now, planned or now)
        elif step == "little":
            now += chance.randrange(5000)
        elif step == "restart":
            now = awake = now + chance.randrange(3000)
        elif step == "long restart":
            now = awake = now + chance.randrange(3 * HOUR)
        else:
            now -= chance.randrange(2 * HOUR)
    assert taken == sorted(set(taken)), "twice, or backwards"
    # And what is planned runs once things are calm.
    calm = decide(schedule, planned, now=max(now, planned or 0), awake_since=0, job="j")
    assert calm.run == planned


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-28T17:43:43.436114Z", "2026-11-28T17:43:43.436Z"),
        ("2026-11-28T18:43:43+01:00", "2026-11-28T17:43:43.000Z"),
        ("2026-11-28T17:43", "2026-11-28T17:43:00.000Z"),
        ("2026-11-28", "2026-11-28T00:00:00.000Z"),
        ("20261128", "2026-11-28T00:00:00.000Z"),
        (" 2026-11-28\n", "2026-11-28T00:00:00.000Z"),
        ("0" * 20 + "1795887823436", "2026-11-28T17:43:43.436Z"),
        ("1795887823436", "2026-11-28T17:43:43.436Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        ("123456789", "1970-01-02T10:17:36.789Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ("9999-12-31T23:59:58.999Z", "9999-12-31T23:59:58.999Z"),
    ],
)
def test_a_time_is_read_and_written(text: str, at: str) -> None:
    assert iso(time_of(text)) == at
    assert iso(time_of(at)) == at


def test_a_time_is_written_in_utc_wherever_the_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert iso(1_500) == "1970-01-01T00:00:01.500Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "12", "12345678", "2026-13-01", "1969-12-31", "9999-12-31T23:59:59.001Z"),
        *("9" * 19, "9" * 5000, "x" * 100),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadSchedule) as refused:
        time_of(text)
    assert str(refused.value) == f"schedule.at is no time: {text[:80]}; allowed: ISO 8601"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc", "a\0b", "x" * 300])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BadSchedule) as refused:
        zone_of(name)
    text = f"unknown time zone: {name[:80]!r}; allowed: Europe/Berlin, say"
    assert str(refused.value) == text


def test_without_a_name_the_zone_is_the_host_s() -> None:
    assert zone_of(None) is UTC
    assert zone_of(None, BERLIN) is BERLIN
    assert zone_of("Europe/Berlin") == BERLIN
