from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from runtime.gateway.reports import SupervisorReport
from runtime.supervisor.gateways.reports import MAX_BATCHES, Reports


class ReportsRig:
    """Accounts whose rows a test changes, and their reports."""

    def __init__(self) -> None:
        self.rows = {key: row(key, "stopped") for key in ("irc:a", "irc:b")}
        self.woken = 0
        self.made: list[str] = []  # rows that were asked for
        self.reports = Reports(
            revision=lambda: "r1",
            keys=lambda: self.rows,
            row=self._row,
            common=lambda: {"channels": []},
            wake=self._wake,
            metrics=list,
            seal=lambda revision: f"sealed {revision}",
        )

    def _row(self, key: str) -> AccountStatus | None:
        self.made.append(key)
        return self.rows.get(key)

    def _wake(self) -> None:
        self.woken += 1

    def change(self, key: str, phase: str) -> None:
        self.rows[key] = row(key, phase)
        self.reports.queue_row(key, self.rows[key])

    def remove(self, key: str) -> None:
        del self.rows[key]
        self.reports.queue_row(key, None)

    def sent(self) -> list[dict[str, Any]]:
        """Return all reports that are due now."""
        found = []
        while (report := self.reports.changes()) is not None:
            msgspec.convert(report, SupervisorReport)  # the gateway's own struct takes it
            found.append(report)
        return found


def row(key: str, phase: str) -> AccountStatus:
    channel, _, account_id = key.partition(":")
    return AccountStatus(key, channel, account_id, phase=phase)


def phases(reports: list[dict[str, Any]], part: str = "accounts") -> list[list[tuple[str, str]]]:
    return [[(key, row["phase"]) for key, row in report[part].items()] for report in reports]


@pytest.fixture
def rig() -> ReportsRig:
    return ReportsRig()


def test_the_whole_is_everything_and_forgets_what_had_changed(rig: ReportsRig) -> None:
    rig.change("irc:a", "running")
    rig.reports.mark_figures("irc:b")
    rig.reports.mark_common()
    whole = rig.reports.whole()
    assert whole["whole"] is True
    assert whole["revision"] == "r1"
    assert whole["channels"] == []
    assert phases([whole]) == [[("irc:a", "running"), ("irc:b", "stopped")]]
    assert rig.sent() == []


def test_nothing_new_is_no_report(rig: ReportsRig) -> None:
    assert rig.sent() == []
    rig.reports.flush()
    assert rig.woken == 0


def test_changes_of_different_accounts_share_a_report(rig: ReportsRig) -> None:
    rig.change("irc:a", "starting")
    rig.change("irc:b", "starting")
    (report,) = rig.sent()
    assert phases([report]) == [[("irc:a", "starting"), ("irc:b", "starting")]]
    assert report["whole"] is False
    assert "channels" not in report


def test_every_phase_of_one_account_is_told_in_order(rig: ReportsRig) -> None:
    for phase in ("starting", "running", "backoff"):
        rig.change("irc:a", phase)
    assert phases(rig.sent()) == [
        [("irc:a", "starting")],
        [("irc:a", "running")],
        [("irc:a", "backoff")],
    ]


def test_the_session_is_woken_as_long_as_something_waits(rig: ReportsRig) -> None:
    rig.change("irc:a", "starting")
    rig.change("irc:a", "running")
    rig.woken = 0
    rig.reports.changes()
    assert rig.woken == 1
    rig.reports.changes()
    assert rig.woken == 1


def test_a_removal_is_told_and_so_is_the_return(rig: ReportsRig) -> None:
    rig.remove("irc:a")
    rig.change("irc:a", "starting")
    removed, returned = rig.sent()
    assert removed["removed"] == ["irc:a"]
    assert removed["accounts"] == {}
    assert phases([returned]) == [[("irc:a", "starting")]]


def test_a_gateway_that_is_far_behind_gets_the_newest_of_what_does_not_fit(rig: ReportsRig) -> None:
    for number in range(MAX_BATCHES + 10):
        rig.change("irc:a", f"phase{number}")
        if number == MAX_BATCHES + 5:
            rig.change("irc:b", "running")
    told = phases(rig.sent())
    assert len(told) == MAX_BATCHES
    assert told[-1] == [("irc:b", "running"), ("irc:a", f"phase{MAX_BATCHES + 9}")]


def test_figures_wait_until_they_are_hurried_and_are_told_apart(rig: ReportsRig) -> None:
    rig.reports.mark_figures("irc:a")
    assert rig.woken == 0
    rig.reports.flush()
    assert rig.woken == 1
    (report,) = rig.sent()
    assert report["accounts"] == {}
    assert phases([report], "figures") == [[("irc:a", "stopped")]]


def test_figures_never_overtake_a_change_that_waits(rig: ReportsRig) -> None:
    rig.change("irc:b", "starting")
    rig.change("irc:b", "running")
    rig.reports.mark_figures("irc:a")
    rig.reports.mark_figures("irc:b")  # its row would say "running" before that is told
    first, second, third = rig.sent()
    assert phases([first, second]) == [[("irc:b", "starting")], [("irc:b", "running")]]
    told = phases([first, second, third], "figures")
    assert told == [[("irc:a", "stopped")], [], [("irc:b", "running")]]


def test_only_the_rows_that_are_told_are_made(rig: ReportsRig) -> None:
    """With 200 accounts that start, all rows for each report were half the supervisor's work."""
    rig.change("irc:a", "running")
    rig.reports.mark_figures("irc:b")
    rig.sent()
    assert rig.made == ["irc:b"]


def test_figures_of_an_account_that_is_gone_are_left_out(rig: ReportsRig) -> None:
    rig.reports.mark_figures("irc:gone")
    (report,) = rig.sent()
    assert report["figures"] == {}


def test_what_is_beside_the_accounts_is_told_once(rig: ReportsRig) -> None:
    rig.reports.mark_common()
    assert rig.woken == 1
    (report,) = rig.sent()
    assert report["channels"] == []
    assert report["accounts"] == {}


def test_no_revision_is_told_that_passwords_could_be_tried_on(rig: ReportsRig) -> None:
    """It is a hash of the whole file, secrets included."""
    rig.rows["irc:a"] = msgspec.structs.replace(row("irc:a", "running"), revision="r1")
    rig.reports.queue_row("irc:a", rig.rows["irc:a"])
    rig.reports.mark_figures("irc:b")
    told = [*rig.sent(), rig.reports.whole()]
    revisions = {
        key: each["revision"]
        for report in told
        for part in ("accounts", "figures")
        for key, each in report.get(part, {}).items()
    }
    assert revisions == {"irc:a": "sealed r1", "irc:b": ""}
