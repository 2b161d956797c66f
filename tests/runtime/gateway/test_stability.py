"""Recent faults behind ``diagnostics.stability``."""

from __future__ import annotations

import tracemalloc

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


def test_a_thousand_records_take_a_quarter_of_a_megabyte() -> None:
    tracemalloc.start()
    try:
        stability, before = Stability(), tracemalloc.get_traced_memory()[0]
        for number in range(2 * CAPACITY):
            key, reason = f"irc:libera{number}", f"ended by signal {number}"
            stability.note("account.backoff", account=key, reason=reason, failures=number)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 256 * 1024
    answer = stability.snapshot(2, None, 0)
    assert (answer["count"], answer["dropped"]) == (CAPACITY, CAPACITY)
    assert [event["failures"] for event in answer["events"]] == [1998, 1999]
