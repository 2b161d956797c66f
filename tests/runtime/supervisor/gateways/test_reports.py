from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.frames.status import AccountStatus
from runtime.gateway.reports import SupervisorReport
from runtime.supervisor.gateways.reports import MAX_BATCHES, Reports


class House:
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
        self.reports.changed(key, self.rows[key])

    def remove(self, key: str) -> None:
        del self.rows[key]
        self.reports.changed(key, None)

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
def house() -> House:
    return House()


def test_the_whole_is_everything_and_forgets_what_had_changed(house: House) -> None:
    house.change("irc:a", "running")
    house.reports.figures("irc:b")
    house.reports.common()
    whole = house.reports.whole()
    assert whole["whole"] is True
    assert whole["revision"] == "r1"
    assert whole["channels"] == []
    assert phases([whole]) == [[("irc:a", "running"), ("irc:b", "stopped")]]
    assert house.sent() == []


def test_nothing_new_is_no_report(house: House) -> None:
    assert house.sent() == []
    house.reports.hurry()
    assert house.woken == 0


def test_changes_of_different_accounts_share_a_report(house: House) -> None:
    house.change("irc:a", "starting")
    house.change("irc:b", "starting")
    (report,) = house.sent()
    assert phases([report]) == [[("irc:a", "starting"), ("irc:b", "starting")]]
    assert report["whole"] is False
    assert "channels" not in report


def test_every_phase_of_one_account_is_told_in_order(house: House) -> None:
    for phase in ("starting", "running", "backoff"):
        house.change("irc:a", phase)
    assert phases(house.sent()) == [
        [("irc:a", "starting")],
        [("irc:a", "running")],
        [("irc:a", "backoff")],
    ]


def test_the_session_is_woken_as_long_as_something_waits(house: House) -> None:
    house.change("irc:a", "starting")
    house.change("irc:a", "running")
    house.woken = 0
    house.reports.changes()
    assert house.woken == 1
    house.reports.changes()
    assert house.woken == 1


def test_a_removal_is_told_and_so_is_the_return(house: House) -> None:
    house.remove("irc:a")
    house.change("irc:a", "starting")
    removed, returned = house.sent()
    assert removed["removed"] == ["irc:a"]
    assert removed["accounts"] == {}
    assert phases([returned]) == [[("irc:a", "starting")]]


def test_a_gateway_that_is_far_behind_gets_the_newest_of_what_does_not_fit(house: House) -> None:
    for number in range(MAX_BATCHES + 10):
        house.change("irc:a", f"phase{number}")
        if number == MAX_BATCHES + 5:
            house.change("irc:b", "running")
    told = phases(house.sent())
    assert len(told) == MAX_BATCHES
    assert told[-1] == [("irc:b", "running"), ("irc:a", f"phase{MAX_BATCHES + 9}")]


def test_figures_wait_until_they_are_hurried_and_are_told_apart(house: House) -> None:
    house.reports.figures("irc:a")
    assert house.woken == 0
    house.reports.hurry()
    assert house.woken == 1
    (report,) = house.sent()
    assert report["accounts"] == {}
    assert phases([report], "figures") == [[("irc:a", "stopped")]]


def test_figures_never_overtake_a_change_that_waits(house: House) -> None:
    house.change("irc:b", "starting")
    house.change("irc:b", "running")
    house.reports.figures("irc:a")
    house.reports.figures("irc:b")  # its row would say "running" before that is told
    first, second, third = house.sent()
    assert phases([first, second]) == [[("irc:b", "starting")], [("irc:b", "running")]]
    told = phases([first, second, third], "figures")
    assert told == [[("irc:a", "stopped")], [], [("irc:b", "running")]]


def test_only_the_rows_that_are_told_are_made(house: House) -> None:
    """With 200 accounts that start, all rows for each report were half the supervisor's work."""
    house.change("irc:a", "running")
    house.reports.figures("irc:b")
    house.sent()
    assert house.made == ["irc:b"]


def test_figures_of_an_account_that_is_gone_are_left_out(house: House) -> None:
    house.reports.figures("irc:gone")
    (report,) = house.sent()
    assert report["figures"] == {}


def test_what_is_beside_the_accounts_is_told_once(house: House) -> None:
    house.reports.common()
    assert house.woken == 1
    (report,) = house.sent()
    assert report["channels"] == []
    assert report["accounts"] == {}


def test_no_revision_is_told_that_passwords_could_be_tried_on(house: House) -> None:
    """It is a hash of the whole file, secrets included."""
    house.rows["irc:a"] = msgspec.structs.replace(row("irc:a", "running"), revision="r1")
    house.reports.changed("irc:a", house.rows["irc:a"])
    house.reports.figures("irc:b")
    told = [*house.sent(), house.reports.whole()]
    revisions = {
        key: each["revision"]
        for report in told
        for part in ("accounts", "figures")
        for key, each in report.get(part, {}).items()
    }
    assert revisions == {"irc:a": "sealed r1", "irc:b": ""}
