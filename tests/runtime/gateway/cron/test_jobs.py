"""Scheduled jobs are made, changed and decided about, with the texts of OpenClaw's errors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runtime.gateway.cron.job_types import JobPatch, NewJob, ScheduledJob
from runtime.gateway.cron.jobs import (
    BadJob,
    corrected,
    create,
    due,
    event_of,
    not_found,
    run_refusal,
    schedule_of,
    shown,
    update,
    with_state,
)
from runtime.gateway.cron.outcomes import CronOutcome, begin_by_hand, begin_run, end_run
from runtime.gateway.cron.schedule import CronTimes, Due

AGENTS = {"main", "ops"}
NOW = 1795887817035  # 2026-11-28T17:43:37.035Z
HOUR = 3_600_000
EVERY: dict[str, Any] = {
    "name": "every",
    "agentId": "main",
    "schedule": {"kind": "every", "everyMs": HOUR},
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "say hi"},
}
SYSTEM = EVERY | {
    "schedule": {"kind": "cron", "expr": "0 9 * * 1", "tz": "Europe/Berlin"},
    "sessionTarget": "main",
    "wakeMode": "next-heartbeat",
    "payload": {"kind": "systemEvent", "text": "monday"},
}
WEBHOOK = "cron webhook delivery requires delivery.to to be a valid http(s) URL"
ONCE = EVERY | {"schedule": {"kind": "at", "at": "2026-11-28T17:43:43.436114Z"}}


def made(base: dict[str, Any] = EVERY, now: int = NOW, **more: Any) -> ScheduledJob:
    return create("id", msgspec.convert(base | more, NewJob), now=now, agents=AGENTS)


def changed(job: ScheduledJob, now: int = NOW + 1000, **patch: Any) -> ScheduledJob:
    return update(job, msgspec.convert(patch, JobPatch), now=now, agents=AGENTS)


def test_jobs_are_made_as_recorded() -> None:
    every = msgspec.to_builtins(made())
    assert every == EVERY | {
        "id": "id",
        "enabled": True,
        "createdAtMs": NOW,
        "updatedAtMs": NOW,
        "schedule": {"kind": "every", "everyMs": HOUR, "anchorMs": NOW},
        "delivery": {},
        "state": {"nextRunAtMs": 1795891417035},
    }
    system = made(SYSTEM)
    assert system.delivery is msgspec.UNSET
    assert system.state.next_run_at_ms == 1796025600000
    once = made(ONCE)
    assert msgspec.to_builtins(once.schedule) == {"kind": "at", "at": "2026-11-28T17:43:43.436Z"}
    assert once.state.next_run_at_ms == 1795887823436
    assert once.delete_after_run is True
    assert made(ONCE, deleteAfterRun=False).delete_after_run is False
    assert made(enabled=False).state.next_run_at_ms is msgspec.UNSET
    assert made(agentId=None).agent_id is msgspec.UNSET


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            {"schedule": {"kind": "cron", "expr": "nonsense"}},
            "invalid cron.add params: CronPattern: invalid configuration format ('nonsense'), "
            "exactly five, six, or seven space separated parts are required.",
        ),
        (
            {"sessionTarget": "main"},
            'invalid cron.add params: main cron jobs require payload.kind="systemEvent" or '
            '"script"',
        ),
        (
            {"payload": {"kind": "systemEvent", "text": "x"}},
            'invalid cron.add params: isolated cron jobs require payload.kind="agentTurn"',
        ),
        (
            {"schedule": {"kind": "at", "at": "2001-01-01T00:00:00Z"}},
            "schedule.at is in the past: 2001-01-01T00:00:00.000Z (13626343 minutes ago). Current "
            "time: 2026-11-28T17:43:37.035Z",
        ),
        (
            {"schedule": {"kind": "cron", "expr": "0 0 0 1 1 * 2020"}},
            "schedule.expr is in the past: 0 0 0 1 1 * 2020 has no time any more. Current time: "
            "2026-11-28T17:43:37.035Z",
        ),
        ({"schedule": {"kind": "at", "at": "soon"}}, "schedule.at is no time: soon"),
        ({"schedule": {"kind": "cron", "expr": "* * * * *", "tz": "Mars"}}, "unknown time zone"),
        ({"sessionTarget": "elsewhere"}, "at /sessionTarget: must be main, isolated, current or"),
        ({"sessionTarget": "session:"}, "at /sessionTarget: must be main, isolated, current or"),
        ({"delivery": {"mode": "webhook"}}, WEBHOOK),
        ({"delivery": {"mode": "webhook", "to": "ftp://x/"}}, WEBHOOK),
        ({"delivery": {"mode": "webhook", "to": "http://"}}, WEBHOOK),
        ({"delivery": {"mode": "webhook", "to": None}}, WEBHOOK),
    ],
)
def test_a_bad_job_is_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(BadJob) as refused:
        made(**more)
    said = str(refused.value)
    assert said.startswith((text, f"invalid cron.add params: {text}"))
    assert said.startswith("invalid") is not (" is in the past: " in said)
    assert refused.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize("to", ["http://h/x", "https://h:1/"])
def test_an_answer_may_go_to_a_url(to: str) -> None:
    job = made(delivery={"mode": "webhook", "to": to}, sessionKey="hook:a")
    assert (job.delivery.to, job.session_key) == (to, "hook:a")  # type: ignore[union-attr]


def test_a_main_job_announces_nothing() -> None:
    with pytest.raises(
        BadJob, match="params: cron channel delivery config is only supported for sessionTarget"
    ):
        made(SYSTEM, delivery={"mode": "announce"})
    made(SYSTEM, delivery={"mode": "none"})


def test_an_agent_that_is_not_there_is_another_error() -> None:
    with pytest.raises(BadJob) as refused:
        made(agentId="nobody")
    assert str(refused.value) == "Error: cron job agent is unavailable: nobody"
    assert refused.value.code == "UNAVAILABLE"
    with pytest.raises(BadJob, match="unavailable: nobody"):
        changed(made(), agentId="nobody")


def test_a_time_that_is_just_over_runs_at_once() -> None:
    job = made(ONCE, now=1795887823436 + 59_000)
    assert job.state.next_run_at_ms == 1795887823436
    assert due(job, now=NOW + 99_000, awake_since=NOW) == Due(run=1795887823436)
    assert made(ONCE, now=1795887823436 + 60_000).state.next_run_at_ms == 1795887823436
    with pytest.raises(BadJob, match=r"in the past: .* \(1 minutes ago\)"):
        made(ONCE, now=1795887823436 + 60_001)


def test_an_unknown_job_is_said_in_two_ways() -> None:
    error = not_found("nope")
    assert str(error).startswith("Automation not found: nope. List automations and retry with a")
    assert error.details == {"details": {"code": "CRON_JOB_NOT_FOUND", "jobId": "nope"}}
    assert str(not_found("nope", got=True)).startswith("cron job not found: nope. List automations")


def test_another_schedule_counts_from_the_change_on() -> None:
    """As recorded: the anchor is the time of the change, and a disabled job has no time."""
    later = 1795887865976
    off = changed(made(), later, enabled=False, schedule={"kind": "every", "everyMs": 2 * HOUR})
    assert msgspec.to_builtins(off.schedule) == {
        "kind": "every",
        "everyMs": 2 * HOUR,
        "anchorMs": later,
    }
    assert off.state.next_run_at_ms is msgspec.UNSET
    assert off.state.schedule_activated_at_ms == off.updated_at_ms == later
    on = changed(off, 1795887870135, enabled=True)
    assert on.state.next_run_at_ms == 1795895065976
    assert on.state.schedule_activated_at_ms == 1795887870135


@pytest.mark.parametrize(
    ("patch", "field", "value"),
    [
        ({"name": "n"}, "name", "n"),
        ({"enabled": True}, "enabled", True),
        ({"description": "d"}, "description", "d"),
        ({"agentId": "ops"}, "agentId", "ops"),
        ({"agentId": None}, "agentId", None),
        ({"catchUp": "none"}, "catchUp", "none"),
        ({"failureAlert": False}, "failureAlert", False),
        ({"failureAlert": {"after": 5}}, "failureAlert", {"after": 5}),
        (
            {"payload": {"kind": "agentTurn", "thinking": "low"}},
            "payload",
            {"kind": "agentTurn", "message": "say hi", "model": "m", "thinking": "low"},
        ),
        (
            {"payload": {"kind": "agentTurn", "model": None, "message": "new"}},
            "payload",
            {"kind": "agentTurn", "message": "new"},
        ),
        (
            {"delivery": {"to": "888"}},
            "delivery",
            {"channel": "telegram", "to": "888", "accountId": "b"},
        ),
        (
            {"delivery": {"mode": "none", "accountId": None}},
            "delivery",
            {"mode": "none", "channel": "telegram", "to": "777"},
        ),
    ],
)
def test_a_patch_changes_what_it_names(patch: dict[str, Any], field: str, value: Any) -> None:
    job = made(
        payload={"kind": "agentTurn", "message": "say hi", "model": "m"},
        delivery={"mode": "announce", "channel": "telegram", "to": "777", "accountId": "b"},
        failureAlert={"after": 3},
    )
    before, after = msgspec.to_builtins(job), msgspec.to_builtins(changed(job, **patch))
    assert after.pop(field, None) == value
    before.pop(field, None)
    assert after == before | {"updatedAtMs": NOW + 1000}


def test_another_kind_of_payload_replaces_it() -> None:
    job = changed(made(), sessionTarget="main", payload={"kind": "systemEvent", "text": "x"},
                  delivery={"mode": "none"})  # fmt: skip
    assert msgspec.to_builtins(job.payload) == {"kind": "systemEvent", "text": "x"}


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ({"sessionTarget": "main"}, "invalid cron.update params: main cron jobs require"),
        (
            {"payload": {"kind": "systemEvent"}},
            "invalid cron.update params: at /patch/payload: Object missing required field",
        ),
        ({"payload": {"kind": "systemEvent", "text": "x"}}, "isolated cron jobs require"),
        ({"payload": {"kind": "agentTurn", "message": None}}, None),
        ({"schedule": {"kind": "cron", "expr": "x"}}, "invalid cron.update params: CronPattern"),
        ({"schedule": {"kind": "at", "at": "2001-01-01"}}, "schedule.at is in the past"),
        (
            {"schedule": {"kind": "cron", "expr": "0 0 0 1 1 * 2020"}},
            "schedule.expr is in the past",
        ),
        ({"delivery": {"mode": "webhook"}}, "valid http(s) URL"),
    ],
)
def test_a_bad_patch_is_refused_and_changes_nothing(
    patch: dict[str, Any], text: str | None
) -> None:
    job = made()
    kept = msgspec.to_builtins(job)
    if text is None:
        with pytest.raises(msgspec.ValidationError):
            changed(job, **patch)
        return
    with pytest.raises(BadJob) as refused:
        changed(job, **patch)
    assert text in str(refused.value)
    assert msgspec.to_builtins(job) == kept


def test_a_job_that_is_over_does_not_run_again_when_it_is_enabled() -> None:
    job = made(ONCE, deleteAfterRun=False)
    over = msgspec.structs.replace(job, enabled=False)
    again = changed(over, NOW + 24 * HOUR, enabled=True)
    assert again.state.next_run_at_ms is msgspec.UNSET
    soon, at = NOW + 30_000, 1795887823436
    for ran, planned in ((None, at), (at - 1, at), (at, None), (at + 5, None)):
        state = msgspec.structs.replace(over.state, last_run_at_ms=ran or msgspec.UNSET)
        found = changed(msgspec.structs.replace(over, state=state), soon, enabled=True)
        assert found.state.next_run_at_ms == (planned or msgspec.UNSET)


def test_what_is_due_is_decided_by_the_kept_time() -> None:
    job = made()
    planned = NOW + HOUR
    assert due(job, now=NOW, awake_since=NOW) == Due(wait=planned)
    decision = due(job, now=planned, awake_since=NOW)
    assert decision == Due(run=planned, next=planned + HOUR)
    running = begin_run(job, decision, planned)
    assert due(running, now=planned + 5 * HOUR, awake_since=NOW) == Due()
    assert running.state.next_run_at_ms == planned + HOUR
    off = msgspec.structs.replace(job, enabled=False)
    assert due(off, now=planned, awake_since=NOW) == Due()
    missed = made(catchUp="none")
    late = NOW + 24 * HOUR
    assert due(missed, now=late, awake_since=late).skipped == planned


def test_a_job_planned_by_a_clock_that_was_ahead_is_planned_anew() -> None:
    year = 365 * 24 * HOUR
    job = made()
    assert corrected(job, now=NOW) is None
    assert corrected(job, now=NOW - HOUR) is None, "clocks are set by as much"
    found = corrected(job, now=NOW - year)  # it was added while the clock was ahead
    assert found is not None
    assert NOW - year < found.state.next_run_at_ms <= NOW - year + HOUR  # type: ignore[operator]
    assert corrected(found, now=NOW - year) is None
    planned = NOW + year + HOUR
    ran = with_state(job, next_run_at_ms=planned, last_run_at_ms=NOW + year)
    found = corrected(ran, now=NOW + 1)
    assert found == with_state(ran, next_run_at_ms=NOW + HOUR)
    off = msgspec.structs.replace(ran, enabled=False)
    running = begin_by_hand(ran, NOW)
    over = with_state(ran, next_run_at_ms=msgspec.UNSET)
    assert [corrected(each, now=NOW + 1) for each in (off, running, over)] == [None] * 3


def test_times_of_one_expression_are_spread_by_the_stagger() -> None:
    schedule = {"kind": "cron", "expr": "0 * * * *", "tz": "UTC", "staggerMs": 60_000}
    given = msgspec.convert(EVERY | {"schedule": schedule}, NewJob)
    staggers = set()
    for n in range(20):
        found = schedule_of(create(str(n), given, now=NOW, agents=AGENTS))
        assert isinstance(found, CronTimes)
        assert 0 <= found.stagger < 60_000
        staggers.add(found.stagger)
    assert len(staggers) > 15


@pytest.mark.parametrize(
    ("mode", "enabled", "now", "reason"),
    [
        ("force", True, NOW, None),
        ("force", False, NOW, None),
        ("due", True, NOW, "not-due"),
        ("due", True, NOW + HOUR, None),
        ("due", False, NOW + HOUR, "disabled"),
        ("if-enabled", True, NOW, None),
        ("if-enabled", False, NOW, "disabled"),
    ],
)
def test_a_run_that_is_asked_for(mode: str, enabled: bool, now: int, reason: str | None) -> None:
    job = made(enabled=enabled)
    assert run_refusal(job, mode, now) == reason
    assert run_refusal(begin_by_hand(job, now), mode, now) == "already-running"


def test_a_job_is_shown_with_its_revision_and_its_next_run() -> None:
    job = made()
    row = shown(job)
    assert row["nextRunAtMs"] == NOW + HOUR
    assert row["configRevision"].startswith("sha256:")
    assert len(row["configRevision"]) == len("sha256:CVe4UuEhj--EZBNYuNcdavU1QwMvxuMJtgHyUeGTkRI")
    running = begin_by_hand(job, NOW)
    assert shown(running)["configRevision"] == row["configRevision"]
    done = end_run(running, CronOutcome("ok", NOW, NOW + 5, delivery="delivered")).job
    assert done is not None
    assert shown(done) == row | shown(done) | {
        "lastRunAtMs": NOW,
        "lastRunStatus": "ok",
        "lastDelivered": False,
        "lastDeliveryStatus": "delivered",
    }
    assert shown(changed(job, name="other"))["configRevision"] != row["configRevision"]


def test_an_event_names_the_job_the_change_and_when_it_is_due() -> None:
    job = made()
    event = event_of(job, "finished", {"ts": 1, "jobName": job.name, "status": "ok"})
    assert event["job"] == {
        name: value for name, value in shown(job).items() if name != "configRevision"
    }
    assert (event["jobId"], event["action"], event["status"]) == (job.id, "finished", "ok")
    assert event["nextRunAtMs"] == job.state.next_run_at_ms
    assert not {"ts", "jobName"} & set(event)
    assert "nextRunAtMs" not in event_of(job, "removed", {})
