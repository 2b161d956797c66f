"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

import tracemalloc

from ipc.errors import RemoteError
from runtime.gateway.stability import CAPACITY, Stability
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import connect


async def test_what_went_wrong_lately_is_told() -> None:
    async with gateway_rig() as rig:
        for _ in range(3):
            await connect(rig)
        client = await rig.client()
        answer = await client.call("diagnostics.stability", {"limit": 2})
        assert answer["count"] == 3
        assert [event["seq"] for event in answer["events"]] == [2, 3]
        assert answer["summary"] == {"byType": {"client.refused": 3}}
        assert answer["events"][0]["reason"] == "DEVICE_IDENTITY_REQUIRED"
        assert (await client.call("diagnostics.stability", {"sinceSeq": 3}))["count"] == 0
        assert (await client.call("diagnostics.stability", {"type": "x"}))["count"] == 0


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
    assert (answer["count"], answer["dropped"], stability.seq) == (4, 0, 4)


def test_a_thousand_records_take_a_quarter_of_a_megabyte() -> None:
    tracemalloc.start()
    try:
        stability, before = Stability(), tracemalloc.get_traced_memory()[0]
        for number in range(2 * CAPACITY):
            key, reason = f"irc:libera{number}", f"ended by signal {number}"
            stability.record("account.backoff", account=key, reason=reason, failures=number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 256 * 1024
    answer = stability.snapshot(2, None, 0)
    assert (answer["count"], answer["dropped"]) == (CAPACITY, CAPACITY)
    assert [event["failures"] for event in answer["events"]] == [1998, 1999]
