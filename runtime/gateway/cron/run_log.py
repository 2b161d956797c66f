"""Keeps the newest runs of each scheduled job. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ipc.nesting import MALFORMED, decode_json
from runtime.gateway.cron.job_types import RunStatus, ScheduledJob
from runtime.gateway.cron.outcomes import CronOutcome
from runtime.gateway.journal.items import KeptItem
from runtime.gateway.journal.runs import Run

KIND = "cron.run"  # of the journal's documents
OF_JOB, IN_ALL = 50, 5_000  # entries that are kept
MAX_SUMMARY = 2000  # characters


class JobRun(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One run of a job, as ``cron.runs`` shows it. ``action`` is ``started`` until it has ended."""

    ts: int
    job_id: str
    job_name: str
    run_id: str
    run_at_ms: int
    action: Literal["started", "finished"] = "started"
    status: RunStatus | UnsetType = UNSET
    completion_status: Literal["succeeded", "failed", "skipped"] | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    next_run_at_ms: int | UnsetType = UNSET
    model: str | UnsetType = UNSET
    usage: dict[str, int] | UnsetType = UNSET
    delivered: bool | UnsetType = UNSET
    delivery_status: str | UnsetType = UNSET
    session_id: str | UnsetType = UNSET
    session_key: str | UnsetType = UNSET

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status is not UNSET

    def to_item(self) -> KeptItem:
        """Return the entry as a document of the journal."""
        return KeptItem(KIND, self.run_id, msgspec.json.encode(self))


def begin_entry(job: ScheduledJob, run: str, now: int, session: str | None = None) -> JobRun:
    """Return the entry of a run that begins."""
    key = UNSET if session is None else session
    return JobRun(
        ts=now, job_id=job.id, job_name=job.name, run_id=run, run_at_ms=now, session_key=key
    )


def end_entry(
    entry: JobRun, outcome: CronOutcome, next: int | UnsetType, run: Run | None = None
) -> JobRun:
    """Return the entry of a run that has ended; ``run`` is its turn, where it had one."""
    words: dict[str, Literal["succeeded", "failed", "skipped"]] = {
        "ok": "succeeded",
        "error": "failed",
        "skipped": "skipped",
    }
    result = None if run is None else run.result
    return msgspec.structs.replace(
        entry,
        ts=outcome.ended,
        action="finished",
        status=outcome.status,
        completion_status=words[outcome.status],
        summary=(run.answer[:MAX_SUMMARY] or UNSET) if run is not None else UNSET,
        error=UNSET if outcome.error is None else outcome.error[:MAX_SUMMARY],
        duration_ms=max(0, outcome.ended - outcome.started),
        next_run_at_ms=next,
        model=(result and result.model) or UNSET,
        usage=_usage(result.usage) if result is not None and result.usage else UNSET,
        delivered=outcome.delivered,
        delivery_status=outcome.delivery,
    )


def _usage(given: dict[str, Any]) -> dict[str, int]:
    counts = {name: n for name, n in given.items() if isinstance(n, int)}
    read, written = counts.get("input", 0), counts.get("output", 0)
    total = counts.get("total", read + written)
    return {"input_tokens": read, "output_tokens": written, "total_tokens": total}


class RunLog:
    """The entries of all jobs, in the order of their beginning."""

    def __init__(self) -> None:
        self._entries: dict[str, JobRun] = {}
        self._of_job: defaultdict[str, list[str]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, items: Iterable[KeptItem]) -> None:
        """Load entries from the journal; skip malformed ones."""
        found = []
        for each in items:
            try:
                found.append(decode_json(each.value, JobRun))
            except MALFORMED:
                continue
        for entry in sorted(found, key=lambda entry: entry.run_at_ms):
            self.add(entry)

    def add(self, entry: JobRun) -> list[tuple[str, str]]:
        """Add or replace an entry; return the documents to delete for it."""
        known = entry.run_id in self._entries
        self._entries[entry.run_id] = entry
        if known:
            return []
        runs = self._of_job[entry.job_id]
        runs.append(entry.run_id)
        gone = [runs[0]] if len(runs) > OF_JOB else []
        if len(self._entries) - len(gone) > IN_ALL:
            gone.append(next(each for each in self._entries if each not in gone))
        return [self._forget(run) for run in gone]

    def knows(self, run: str) -> bool:
        """Return whether there is an entry of a run."""
        return run in self._entries

    def unfinished(self, job: str) -> JobRun | None:
        """Return the unfinished run of a job, if there is one."""
        entries = [self._entries[run] for run in self._of_job.get(job, [])]
        # Not always the last one: others may have begun by a clock that was ahead.
        return next((each for each in reversed(entries) if not each.is_over), None)

    def of(self, job: str | None = None) -> list[JobRun]:
        """Return the finished runs of one job or all, the newest first."""
        chosen = self._of_job.get(job, []) if job is not None else self._entries
        return [entry for run in reversed([*chosen]) if (entry := self._entries[run]).is_over]

    def _forget(self, run: str) -> tuple[str, str]:
        entry = self._entries.pop(run)
        runs = self._of_job[entry.job_id]
        runs.remove(run)
        if not runs:
            del self._of_job[entry.job_id]
        return KIND, run
