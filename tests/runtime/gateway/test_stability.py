"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from structlog.testing import capture_logs

from ipc.errors import RemoteError
from runtime.gateway.stability import CAPACITY, Stability, is_news
from tests.support.devices import Key, offer
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import connect

PAGE = "https://app.example"


async def test_what_went_wrong_lately_is_told() -> None:
    async with gateway_rig() as rig:
        await connect(rig)
        await connect(rig, minProtocol=99, maxProtocol=99)
        client = await rig.client()
        answer = await client.call("diagnostics.stability", {"limit": 1})
        assert answer["count"] == 2
        assert [event["seq"] for event in answer["events"]] == [2]
        assert answer["summary"] == {"byType": {"client.refused": 2}}
        found = (await client.call("diagnostics.stability", {}))["events"]
        assert [each["reason"] for each in found] == [
            "DEVICE_IDENTITY_REQUIRED",
            "PROTOCOL_MISMATCH",
        ]
        assert {each["address"] for each in found} == {"127.0.0.1"}
        assert (await client.call("diagnostics.stability", {"sinceSeq": 2}))["count"] == 0
        assert (await client.call("diagnostics.stability", {"type": "x"}))["count"] == 0


async def test_a_client_that_is_refused_again_and_again_is_one_record_and_few_lines() -> None:
    async with gateway_rig() as rig:
        with capture_logs() as lines:
            for _ in range(9):
                await connect(rig)
        (event,) = rig.parts.stability.snapshot(9, None, 0)["events"]
        assert (event["times"], event["seq"]) == (9, 9)
        logged = [each["times"] for each in lines if each["event"] == "client refused"]
        assert logged == [1, 2, 4, 8]
        assert rig.parts.hub.refused["DEVICE_IDENTITY_REQUIRED"] == 9, "all of them are counted"


@pytest.mark.parametrize(
    ("origin", "auth", "recorded"),
    [
        pytest.param(True, {}, [], id="a page asks whether it needs a secret"),
        pytest.param(
            True, {"token": "wrong"}, ["AUTH_TOKEN_MISMATCH"], id="a page with a wrong one"
        ),
        pytest.param(False, {}, ["AUTH_TOKEN_MISSING"], id="another client without one"),
    ],
)
async def test_a_page_without_a_secret_is_no_fault(
    origin: bool, auth: dict[str, Any], recorded: list[str]
) -> None:
    async with gateway_rig(allowedOrigins=[PAGE]) as rig:
        headers = {"Origin": PAGE} if origin else {}
        _, answer = await offer(rig, Key(), headers=headers, auth=auth)
        assert not answer["ok"]
        events = rig.parts.stability.snapshot(9, None, 0)["events"]
        assert [each["reason"] for each in events] == recorded


def test_repetitions_are_logged_ever_more_seldom() -> None:
    assert [times for times in range(1, 100) if is_news(times)] == [1, 2, 4, 8, 16, 32, 64]


def test_an_event_that_comes_again_and_again_is_one_record_with_a_count() -> None:
    stability = Stability()
    stability.record("client.refused", reason="no token")
    for _ in range(2 * CAPACITY):
        stability.record_unsent("irc:libera", RemoteError("UNAVAILABLE", "no such nick"))
    stability.record_unsent("irc:libera", RemoteError("UNAVAILABLE", "banned " + "x" * 999))
    stability.record_unsent("irc:oftc", RemoteError("UNAVAILABLE", "no such nick"))
    answer = stability.snapshot(9, None, 0)
    refused, unsent, *others = answer["events"]
    assert (refused["type"], unsent["type"]) == ("client.refused", "message.unsent")
    assert (unsent["account"], unsent["reason"]) == ("irc:libera", "no such nick")
    assert unsent["times"] == 2 * CAPACITY
    assert unsent["first"] <= unsent["ts"]
    assert [each["account"] for each in others] == ["irc:libera", "irc:oftc"]
    assert [len(each["reason"]) for each in others] == [200, 12]
    assert (answer["count"], answer["dropped"], stability.seq) == (4, 0, 2 * CAPACITY + 3)


def test_accounts_that_fail_in_turn_are_one_record_each_with_the_newest_figures() -> None:
    stability = Stability()
    for failures in range(1, CAPACITY):
        for key in ("irc:a", "irc:b"):
            stability.record("account.backoff", account=key, reason="crash", failures=failures)
    events = stability.snapshot(CAPACITY, None, 0)["events"]
    assert [(each["account"], each["times"], each["failures"]) for each in events] == [
        ("irc:a", CAPACITY - 1, CAPACITY - 1),
        ("irc:b", CAPACITY - 1, CAPACITY - 1),
    ]


def test_strangers_at_ever_other_addresses_displace_only_each_other() -> None:
    stability = Stability()
    stability.record("account.failed", account="irc:a", reason="needs_login")
    for number in range(2 * CAPACITY):
        stability.record(
            "client.refused", reason="AUTH_TOKEN_MISMATCH", address=f"2001:db8::{number:x}"
        )
    answer = stability.snapshot(CAPACITY, None, 0)
    assert answer["summary"]["byType"] == {"account.failed": 1, "client.refused": CAPACITY - 1}
    assert answer["dropped"] == CAPACITY + 1


def test_a_thousand_records_take_less_than_half_a_megabyte() -> None:
    tracemalloc.start()
    try:
        stability, before = Stability(), tracemalloc.get_traced_memory()[0]
        for number in range(2 * CAPACITY):
            key, reason = f"irc:libera{number}", f"ended by signal {number}"
            stability.record("account.backoff", account=key, reason=reason, failures=number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 512 * 1024
    answer = stability.snapshot(2, None, 0)
    assert (answer["count"], answer["dropped"]) == (CAPACITY, CAPACITY)
    assert [event["failures"] for event in answer["events"]] == [1998, 1999]
