"""The numbered events of the protocol, published once for many changes: health, tick, presence."""

from __future__ import annotations

import msgspec

from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted

UI = {"id": "openclaw-control-ui", "version": "1", "platform": "linux", "mode": "ui"}


async def test_health_follows_hello_with_number_1() -> None:
    async with gateway_rig() as rig:
        frame = await (await greeted(rig)).next()
        assert list(frame) == ["type", "event", "payload", "seq", "stateVersion"]
        assert (frame["event"], frame["seq"]) == ("health", 1)
        assert frame["payload"]["channels"]["irc"]["accounts"]["libera"]["running"] is True


async def test_numbers_count_per_client_in_protocol_4_and_over_all_in_protocol_3() -> None:
    async with gateway_rig(tickIntervalMs=50) as rig:
        first = await greeted(rig)
        assert (await first.event("tick"))["seq"] >= 2
        old = await greeted(rig, 3)
        numbers = [(await old.next())["seq"], (await old.event("tick"))["seq"]]
        assert numbers[1] == numbers[0] + 1 > 2
        late = await greeted(rig)
        assert [(await late.next())["seq"] for _ in range(3)] == [1, 2, 3]


async def test_presence_is_broadcast_once_for_many_who_come() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        opened = [await greeted(rig, client=UI) for _ in range(5)]
        frame = await client.event("presence")
        assert len(frame["payload"]["presence"]) == 6
        assert "stateVersion" in frame
        rows = (await client.call("system-presence"))["payload"]
        assert [row["mode"] for row in rows] == ["gateway"] + ["ui"] * 5
        assert rows[0]["reason"] == "self"
        assert len(opened) == 5


async def test_a_change_of_an_account_is_told_to_everybody_once() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        first = await client.event("health")
        for phase in ("stopping", "stopped"):
            row = rig.parts.accounts.rows["irc:libera"]

            changed = msgspec.to_builtins(row) | {"phase": phase}
            await rig.report(changed)
        second = await client.event("health")
        shown = second["payload"]["channels"]["irc"]["accounts"]["libera"]
        assert shown["running"] is False
        assert second["seq"] == first["seq"] + 1
        assert second["stateVersion"]["health"] == first["stateVersion"]["health"] + 2
