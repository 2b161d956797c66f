"""What is known of the links, and what of it is a warning or an account's health."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from msgspec.structs import replace

from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.link_reports import LinkReports
from tests.support.accounts import Stage, account_of, living, phase, spec_of, start

pytestmark = pytest.mark.virtual_time
KEY = "local:a"


class ReportsRig:
    """Link reports over one account, with a clock of their own."""

    def __init__(self, account: Account) -> None:
        self.now = 1000.0
        self.changed: list[str] = []
        self.reports = LinkReports(
            lambda: {KEY: account},
            lambda account: self.changed.append(account.key),
            clock=lambda: self.now,
        )

    def silent(self, seconds: float, **more: Any) -> None:
        self.reports.apply({"silent": {KEY: seconds}, **more})


async def test_an_account_without_a_sign_for_three_beats_is_degraded_until_it_is_back() -> None:
    async with living(account_of(Stage(), spec_of(KEY))) as account:
        await start(account)
        account.heartbeat.set_pace(5.0)
        account.apply_patch({"connected": True})
        rig = ReportsRig(account)
        for seconds, health in ((15.0, "ok"), (15.1, "degraded: not on the data link")):
            rig.silent(seconds)
            assert account.status().health == health
        rig.silent(20.0)
        assert rig.changed == [KEY]
        rig.reports.apply({})
        assert account.status().health == "ok"
        assert rig.changed == [KEY, KEY]


async def test_without_a_gateway_nothing_is_held_against_an_account() -> None:
    async with living(account_of(Stage(), spec_of(KEY))) as account:
        await start(account)
        account.heartbeat.set_pace(1.0)
        account.apply_patch({"connected": True})
        rig = ReportsRig(account)
        rig.silent(60.0)
        rig.reports.on_gateway_lost()
        assert account.status().health == "ok"
        assert rig.changed == [KEY, KEY]


async def test_duplicates_are_added_up_over_gateways() -> None:
    account = account_of(Stage(), spec_of(KEY))
    rig = ReportsRig(account)
    shown = []
    for count in (0, 3, 5, 2, 2):  # the fourth is of another gateway
        rig.reports.apply({"duplicates": {KEY: count}} if count else {})
        shown.append(account.status().dropped.get("duplicate", 0))
    assert shown == [0, 3, 5, 7, 7]
    assert account.phase is Phase.STOPPED
    assert rig.changed == []


async def test_refusals_and_floods_are_warnings_for_a_while_and_counted_for_ever() -> None:
    rig = ReportsRig(account_of(Stage(), spec_of(KEY)))
    rig.reports.record("control", 0, 0)
    assert rig.reports.warnings() == []
    rig.reports.record("control", 2, 1)
    rig.reports.apply({"handshakesRefused": 3, "floods": 0})
    rig.reports.apply({"handshakesRefused": 1, "floods": 0})  # of another gateway
    flooded, *refused = rig.reports.warnings()
    assert flooded.startswith("degraded: link flooded: ")
    assert "the supervisor" in flooded
    assert [each.partition(" were")[0] for each in refused] == [
        "2 connections to the control link",
        "4 connections to the data link",
    ]
    rig.now += 601
    rig.reports.record("control", 2, 1)
    assert rig.reports.warnings() == []
    assert rig.reports.refused_by_link() == {"control": 2, "data": 4}
    assert [(each.name, each.samples) for each in rig.reports.series()] != []


async def test_a_worker_that_never_stays_connected_is_ended_and_no_other() -> None:
    async with living(account_of(Stage(), spec_of(KEY))) as account:
        await start(account)
        now = account.child.state.incarnation
        rig = ReportsRig(account)
        rig.reports.apply({"reconnecting": {f"{KEY}#{now - 1}": 300, "local:gone#1": 400}})
        rig.reports.apply({"reconnecting": {f"{KEY}#{now}": 500}})
        await phase(account, Phase.BACKOFF)
        row = account.status()
        assert (row.failures, row.last_error) == (
            1,
            "connected to the data link 500 times within 10 s",
        )


async def test_an_answer_that_is_none_changes_nothing() -> None:
    rig = ReportsRig(account_of(Stage(), spec_of(KEY)))
    answers: list[Any] = [None, [], {"silent": 5}, {"floods": "many"}]
    for answer in answers:
        rig.reports.apply(answer)
    assert rig.reports.refused_by_link() == {"control": 0, "data": 0}


@pytest.mark.parametrize(
    ("answer", "health", "warning"),
    [
        (
            {"journal": "journal full"},
            "degraded: journal full",
            "journal full; it goes on once there is room",
        ),
        (
            {"lost": [KEY], "repaired": "it was damaged"},
            "degraded: position lost",
            "it was damaged",
        ),
        ({"lost": ["local:other"]}, "ok", None),
    ],
)
async def test_what_is_wrong_with_the_journal_is_shown_for_accounts_that_have_one(
    answer: dict[str, Any], health: str, warning: str | None
) -> None:
    for journal in ("on", "off"):
        async with living(account_of(Stage(), spec_of(KEY, journal=journal))) as account:
            await start(account)
            account.heartbeat.set_pace(5.0)
            account.apply_patch({"connected": True})
            rig = ReportsRig(account)
            rig.reports.apply(answer)
            assert account.status().health == (health if journal == "on" else "ok")
            assert any(warning in each for each in rig.reports.warnings()) if warning else True
            rig.reports.apply({})
            assert account.status().health == "ok"
            assert rig.reports.warnings() == []


@pytest.mark.parametrize(
    ("report", "health"),
    [
        ({"journal": "journal full"}, "degraded: journal full"),
        ({"lost": [KEY]}, "degraded: not on the data link"),
    ],
)
async def test_a_journal_that_stores_nothing_is_shown_before_the_absence_that_it_causes(
    report: dict[str, Any], health: str
) -> None:
    async with living(account_of(Stage(), spec_of(KEY, journal="on"))) as account:
        await start(account)
        account.heartbeat.set_pace(1.0)
        account.apply_patch({"connected": True})
        rig = ReportsRig(account)
        rig.silent(3.5, **report)
        assert account.status().health == health
        rig.silent(3.5)
        assert account.status().health == "degraded: not on the data link"


async def test_repeated_messages_are_added_up_over_gateways() -> None:
    account = account_of(Stage(), spec_of(KEY, journal="on"))
    rig = ReportsRig(account)
    for count in (4, 1):
        rig.reports.apply({"repeated": {KEY: count}})
    assert account.status().dropped == {"repeated": 5}


@pytest.mark.parametrize(
    ("report", "journal", "halted"),
    [
        ({"journal": "journal full"}, "on", True),
        ({"journal": "journal full"}, "off", False),
        ({"lost": [KEY]}, "on", False),
        ({}, "on", False),
    ],
)
async def test_an_account_is_halted_while_its_journal_stores_nothing(
    report: dict[str, Any], journal: Literal["on", "off"], halted: bool
) -> None:
    spec = replace(spec_of(KEY), journal=journal)
    async with living(account_of(Stage(), spec)) as account:
        await start(account)
        rig = ReportsRig(account)
        rig.reports.apply(report)
        assert account.halted is halted
        rig.reports.on_gateway_lost()
        assert account.halted is False
