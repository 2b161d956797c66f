"""Which traces are exported, wait, or are given up."""

from __future__ import annotations

from runtime.gateway.journal.runs import Run
from runtime.gateway.telemetry.exchange import Counts
from runtime.gateway.telemetry.journal_source import EndedRun, Scan
from runtime.gateway.telemetry.progress import (
    AT_ONCE,
    KEPT_MS,
    LAST_SECONDS,
    MAX_WAITING,
    ExportProgress,
    apply_scan,
    drop_excess,
    fresh,
    requeue,
    wait_after,
)


def ended(number: int, at: int) -> EndedRun:
    return EndedRun(number, Run("r", "s", "a", state="final", ended=at), [])


def test_what_waits_is_looked_at_in_turn() -> None:
    progress = ExportProgress(0, [*range(AT_ONCE + 5)])
    assert progress.some() == [*range(AT_ONCE)]
    apply_scan(progress, Scan([], [1, 2], 300, 1, more=False), counts := Counts())
    assert progress == ExportProgress(300, [*range(AT_ONCE, AT_ONCE + 5), 1, 2])
    assert counts.dropped == {"unreadable": 1}


def test_what_a_failing_collector_did_not_take_in_time_is_given_up_and_counted() -> None:
    now, counts = 10 * KEPT_MS, Counts()
    old, young = ended(1, now - KEPT_MS), ended(2, now - KEPT_MS + 1)
    assert fresh([old, young], now, counts, failing=False) == [old, young]
    assert counts.dropped == {}
    assert fresh([old, young], now, counts, failing=True) == [young]
    assert counts.dropped == {"unreachable": 1}


def test_no_more_waits_than_there_is_room_for_the_oldest_go() -> None:
    progress, counts = ExportProgress(0, [*range(5, MAX_WAITING + 5)]), Counts()
    requeue(progress, [ended(2, 1), ended(1, 1)])
    drop_excess(progress, counts)
    assert len(progress.waiting) == MAX_WAITING
    assert min(progress.waiting) == 5
    assert counts.dropped == {"queue_full": 2}


def test_tries_come_less_often_and_go_on() -> None:
    assert [wait_after(number) for number in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert wait_after(1000) == LAST_SECONDS
