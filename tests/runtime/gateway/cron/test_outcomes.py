"""What runs make of their jobs."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from runtime.gateway.cron.job_types import JobFailureAlert, NewJob, ScheduledJob
from runtime.gateway.cron.jobs import create, due
from runtime.gateway.cron.outcomes import (
    BACKOFF_MS,
    CronAlert,
    CronOutcome,
    begin_by_hand,
    begin_run,
    end_run,
    outcome_of,
    skip_run,
)
from runtime.gateway.cron.schedule import Due
from runtime.gateway.journal.runs import Run

NOW = 1_795_887_817_035
MINUTE, HOUR = 60_000, 3_600_000
EVERY: dict[str, Any] = {"kind": "every", "everyMs": MINUTE}
AT = {"kind": "at", "at": "2026-11-28T18:00:00Z"}


def made(schedule: dict[str, Any] = EVERY, **more: Any) -> ScheduledJob:
    given = {
        "name": "job",
        "schedule": schedule,
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "m"},
    }
    return create("id", msgspec.convert(given | more, NewJob), now=NOW, agents=())


def outcome(status: str, at: int = NOW, **more: Any) -> CronOutcome:
    error = {"error": "LLM request failed"} if status == "error" else {}
    return CronOutcome(status, at, at + 1000, **(error | more))  # type: ignore[arg-type]


def after(job: ScheduledJob, *outcomes: CronOutcome, **more: Any) -> ScheduledJob:
    """Return a job after runs, which must not remove it."""
    for each in outcomes:
        found = end_run(begin_by_hand(job, each.started), each, **more).job
        assert found is not None
        job = found
    return job


def test_the_state_after_a_run_is_as_recorded() -> None:
    ran = CronOutcome("ok", NOW, NOW + 30_473, delivered=True, delivery="delivered")
    job = after(made({"kind": "every", "everyMs": HOUR}), ran)
    assert msgspec.to_builtins(job.state) == {
        "nextRunAtMs": NOW + HOUR,
        "lastRunAtMs": NOW,
        "lastRunStatus": "ok",
        "lastStatus": "ok",
        "lastDurationMs": 30_473,
        "lastDelivered": True,
        "lastDeliveryStatus": "delivered",
        "lastFailureNotificationDeliveryStatus": "not-requested",
        "consecutiveErrors": 0,
        "consecutiveSkipped": 0,
    }
    assert job.updated_at_ms == NOW + 30_473


def test_an_error_is_kept_until_a_run_goes_well() -> None:
    job = after(made(), outcome("error", error="x" * 9000))
    assert job.state.last_error == "x" * 2000
    assert job.state.consecutive_errors == 1
    job = after(job, outcome("skipped"))
    assert (job.state.consecutive_errors, job.state.consecutive_skipped) == (1, 1)
    job = after(job, outcome("ok"))
    assert job.state.last_error is msgspec.UNSET
    assert (job.state.consecutive_errors, job.state.consecutive_skipped) == (0, 0)


@pytest.mark.parametrize("errors", [1, 2, 3, 4, 5, 6, 20])
def test_a_job_that_fails_again_and_again_is_tried_less_often(errors: int) -> None:
    failures = [outcome("error", NOW + n) for n in range(errors)]
    job = after(made(), *failures)
    wait = BACKOFF_MS[min(errors, 5) - 1]
    planned = job.state.next_run_at_ms
    assert isinstance(planned, int)
    earliest = failures[-1].ended + wait
    assert earliest <= planned < earliest + MINUTE
    assert (planned - NOW) % MINUTE == 0  # a time of its schedule all the same


def test_a_time_of_the_schedule_right_after_the_backoff_is_taken() -> None:
    job = made({"kind": "every", "everyMs": 1000})
    failed = CronOutcome("error", NOW + 10, NOW + 1000)
    assert after(job, failed).state.next_run_at_ms == NOW + 1000 + BACKOFF_MS[0]


def test_a_run_may_take_no_time_and_fail_without_a_word() -> None:
    job = made(failureAlert={"after": 1})
    failed = CronOutcome("error", NOW, NOW)
    assert after(job, failed).state.last_duration_ms == 0
    assert after(job, CronOutcome("ok", NOW, NOW - 5)).state.last_duration_ms == 0
    (alert,) = alerts(job, failed)
    assert alert is not None
    assert alert.text == 'Cron job "job" failed once.\nLast error: unknown reason'


def test_a_backoff_moves_nothing_that_is_later_anyway() -> None:
    job = made({"kind": "every", "everyMs": 24 * HOUR})
    assert after(job, outcome("error")).state.next_run_at_ms == job.state.next_run_at_ms
    off = msgspec.structs.replace(made(enabled=False))
    assert after(off, outcome("error")).state.next_run_at_ms is msgspec.UNSET


def test_a_job_for_one_time_goes_or_stays_when_it_has_run() -> None:
    decision = Due(run=made(AT).state.next_run_at_ms)  # type: ignore[arg-type]
    job = begin_run(made(AT), decision, NOW)
    assert end_run(job, outcome("ok")).job is None
    kept = begin_run(made(AT, deleteAfterRun=False), decision, NOW)
    found = end_run(kept, outcome("ok")).job
    assert found is not None
    assert (found.enabled, found.state.next_run_at_ms) == (False, msgspec.UNSET)


def test_a_job_for_one_time_is_tried_three_times_more() -> None:
    job, waits = made(AT), []
    for n in range(4):
        failed = outcome("error", NOW + n * HOUR)
        job = after(job, failed)
        planned = job.state.next_run_at_ms
        waits.append(planned - failed.ended if isinstance(planned, int) else None)
    assert waits == [*BACKOFF_MS[:3], None]
    assert not job.enabled
    assert job.state.last_error == "LLM request failed"
    final = after(made(AT), outcome("error", passing=False))
    assert not final.enabled


def test_a_repeated_job_that_is_to_go_goes_after_it_went_well() -> None:
    job = made(deleteAfterRun=True)
    assert end_run(job, outcome("error")).job is not None
    assert end_run(job, outcome("ok")).job is None


def test_a_missed_time_is_noted_and_one_time_is_over_by_it() -> None:
    job = skip_run(made(), Due(skipped=NOW, next=NOW + HOUR), NOW + 5)
    assert job.updated_at_ms == NOW + 5
    assert (job.enabled, job.state.next_run_at_ms) == (True, NOW + HOUR)
    assert (job.state.last_status, job.state.consecutive_skipped) == ("skipped", 1)
    over = skip_run(made(AT), Due(skipped=NOW), NOW)
    assert (over.enabled, over.state.next_run_at_ms) == (False, msgspec.UNSET)


def alerts(job: ScheduledJob, *outcomes: CronOutcome, **more: Any) -> list[CronAlert | None]:
    found = []
    for each in outcomes:
        done = end_run(begin_by_hand(job, each.started), each, **more)
        assert done.job is not None
        job = done.job
        found.append(done.alert)
    return found


def test_an_alert_of_a_clock_that_was_ahead_keeps_no_other_one_back() -> None:
    job = made(failureAlert={"after": 1, "cooldownMs": HOUR, "channel": "telegram", "to": "1"})
    ahead, back = outcome("error", NOW + 999 * HOUR), outcome("error", NOW)
    soon = outcome("error", NOW + MINUTE)
    assert [each is not None for each in alerts(job, ahead, back, soon)] == [True, True, False]


def test_a_person_is_told_once_and_again_after_a_while() -> None:
    job = made(failureAlert={"after": 2, "cooldownMs": HOUR, "channel": "telegram", "to": "1"})
    failures = [outcome("error", NOW + n * 20 * MINUTE) for n in range(6)]
    text = 'Cron job "job" failed {} times in a row.\nLast error: LLM request failed'
    assert alerts(job, *failures) == [
        None,
        CronAlert(text.format(2), channel="telegram", to="1"),
        None,
        None,
        CronAlert(text.format(5), channel="telegram", to="1"),
        None,
    ]


@pytest.mark.parametrize(
    ("own", "default", "statuses", "told"),
    [
        (None, None, ["error"] * 3, [False] * 3),
        (None, {"after": 1}, ["error"], [True]),
        (False, {"after": 1}, ["error"], [False]),
        ({"after": 3}, {"after": 1}, ["error"] * 3, [False, False, True]),
        ({"after": 2}, None, ["error", "ok", "error", "error"], [False, False, False, True]),
        ({"after": 2}, None, ["error", "skipped", "error"], [False, False, True]),
        ({"after": 2}, None, ["skipped"] * 3, [False] * 3),
        ({"after": 1, "cooldownMs": 0}, None, ["error", "skipped", "ok"], [True, False, False]),
        ({"after": 2, "includeSkipped": True}, None, ["skipped"] * 2, [False, True]),
        ({"after": 1, "cooldownMs": 0}, None, ["error"] * 2, [True, True]),
    ],
)
def test_who_is_told_of_which_failures(
    own: Any, default: Any, statuses: list[str], told: list[bool]
) -> None:
    job = made(**({} if own is None else {"failureAlert": own}))
    given = None if default is None else msgspec.convert(default, JobFailureAlert)
    found = alerts(job, *(outcome(each) for each in statuses), default_alert=given)
    assert [each is not None for each in found] == told


def test_an_alert_goes_where_it_is_to_go() -> None:
    where = {"after": 1, "mode": "webhook", "to": "https://h/", "accountId": "b"}
    (alert,) = alerts(made(failureAlert=where), outcome("error", error="y" * 900))
    assert alert is not None
    assert (alert.mode, alert.to, alert.account, alert.channel) == (
        "webhook",
        "https://h/",
        "b",
        None,
    )
    assert alert.text == f'Cron job "job" failed once.\nLast error: {"y" * 200}'


@pytest.mark.parametrize("seed", range(20))
def test_a_job_s_life_has_no_run_twice_and_always_a_next_time(seed: int) -> None:
    chance = random.Random(seed)
    job, now, ran = made(), NOW, []
    for _ in range(150):
        decision = due(job, now=now, awake_since=NOW)
        if decision.run is not None:
            ran.append(decision.run)
            job = begin_run(job, decision, now)
            assert due(job, now=now, awake_since=NOW) == Due()
            now += chance.randrange(3 * MINUTE)
            status = chance.choice(["ok", "error", "error", "skipped"])
            job = after(job, CronOutcome(status, now - 1, now))  # type: ignore[arg-type]
        else:
            assert decision.wait is not None
            now = decision.wait + chance.randrange(MINUTE)
    assert ran == sorted(set(ran))
    assert len(ran) > 20


@pytest.mark.parametrize(
    ("run", "problem", "delivery", "status", "passing"),
    [
        ({"state": "final"}, None, {}, "ok", False),
        ({"state": "final"}, "the chat is gone", {}, "error", False),
        ({"state": "final"}, "the chat is gone", {"bestEffort": True}, "ok", False),
        ({"state": "timeout"}, None, {}, "error", True),
        ({"state": "error", "error": "transient"}, None, {}, "error", True),
        ({"state": "error", "error": "died"}, None, {}, "error", True),
        ({"state": "error", "error": "refused"}, None, {}, "error", False),
        ({"state": "aborted", "detail": "stopped"}, None, {"bestEffort": True}, "error", False),
    ],
)
def test_a_run_and_its_delivery_are_one_outcome(
    run: dict[str, Any], problem: str | None, delivery: Any, status: str, passing: bool
) -> None:
    job = made(delivery={"mode": "announce", "channel": "irc", "to": "#a"} | delivery)
    found = outcome_of(job, Run("r", "s", "a", **run), problem)
    assert (found.status, found.passing) == (status, passing)
    assert (found.error is None) == (run["state"] == "final" and problem is None)
