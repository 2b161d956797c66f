"""The log of the runs of jobs: what is kept of it, and what is forgotten."""

from __future__ import annotations

from msgspec import UNSET

from runtime.gateway.cron import run_log
from runtime.gateway.cron.outcomes import CronOutcome
from runtime.gateway.cron.run_log import KIND, OF_JOB, JobRun, RunLog, end_entry
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.runs import RunResult
from tests.support.conversations import asked


def entry(run: str, at: int = 0, job: str = "job") -> JobRun:
    return JobRun(ts=at, job_id=job, job_name=job, run_id=run, run_at_ms=at)


def done(given: JobRun) -> JobRun:
    return end_entry(given, CronOutcome("ok", given.run_at_ms, given.run_at_ms + 5), 99)


def test_an_entry_says_what_became_of_its_run() -> None:
    result = RunResult({"input": 2, "output": 3}, model="m")
    run = asked("r", state="final", answer="x" * 3000, result=result)
    found = end_entry(entry("r", 10), CronOutcome("error", 10, 25, "it broke"), UNSET, run)
    assert (found.action, found.completion_status, found.duration_ms) == ("finished", "failed", 15)
    assert found.usage == {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}
    assert (found.model, len(str(found.summary)), found.error) == ("m", 2000, "it broke")


def test_the_newest_runs_are_kept_and_read_again() -> None:
    log = RunLog()
    gone = [log.add(done(entry(f"r{n}", n))) for n in range(OF_JOB + 2)]
    assert [each for some in gone for each in some] == [(KIND, "r0"), (KIND, "r1")]
    assert log.add(entry("other", 1, "other")) == []
    assert [each.run_id for each in log.of("job")][:2] == [f"r{OF_JOB + 1}", f"r{OF_JOB}"]
    assert (log.of("other"), log.unfinished("job")) == ([], None)
    again = RunLog()
    kept = [each.to_item() for each in log.of()] + [KeptItem(KIND, "bad", b"{")]
    again.load([*kept, entry("other", 1, "other").to_item()])
    assert again.of() == log.of()
    open_one = again.unfinished("other")
    assert open_one is not None
    assert open_one.run_id == "other"
    assert again.add(done(open_one)) == []
    assert again.unfinished("other") is None


def test_a_run_under_way_is_found_before_those_of_a_clock_that_was_ahead() -> None:
    log = RunLog()
    log.load([done(entry("ahead", 99)).to_item(), entry("now", 5).to_item()])
    found = log.unfinished("job")
    assert found is not None
    assert found.run_id == "now"
    assert (log.knows("ahead"), log.knows("later")) == (True, False)


def test_all_jobs_together_have_a_bound() -> None:
    log = RunLog()
    for n in range(run_log.IN_ALL):
        log.add(entry(f"r{n}", n, f"job-{n}"))
    assert log.add(entry("new", 9, "new")) == [(KIND, "r0")]
    assert len(log) == run_log.IN_ALL
