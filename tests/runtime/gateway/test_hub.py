"""The numbered events of the protocol, published once for many changes: health, tick, presence."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ipc.websocket.sending import LONG_BYTES
from runtime.gateway import hub as module
from runtime.gateway.access.scopes import OPERATOR
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.handshakes import greeted

MIB = 1 << 20
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
        numbers = [(await old.next())["seq"] for _ in range(3)]  # ticks, and the health
        assert numbers == list(range(numbers[0], numbers[0] + 3))
        assert numbers[0] > 1
        late = await greeted(rig)
        assert [(await late.next())["seq"] for _ in range(3)] == [1, 2, 3]


async def test_a_client_that_is_behind_is_closed_before_more_long_events_are_made_for_it() -> None:
    async with gateway_rig() as rig:
        hub, limit = rig.parts.hub, rig.parts.server.limits.buffered_bytes
        deaf, reader = await greeted(rig), await greeted(rig, 3)
        told = {each.protocol: each.connection for each in hub.clients if each.role == OPERATOR}
        deaf.socket.transport.pause_reading()
        while told[4].buffered_bytes < limit - LONG_BYTES:
            hub.broadcast("chat", {"text": "x" * LONG_BYTES})
            await reader.event("chat")
        assert told[4].open
        most = 0
        for _ in range(3):  # in one turn of the loop
            hub.broadcast("chat", {"text": "x" * MIB})
            most = max(most, told[4].buffered_bytes)
        assert most < limit + 2 * MIB
        assert not told[4].open
        assert [len((await reader.event("chat"))["payload"]["text"]) for _ in range(3)] == [MIB] * 3
        deaf.socket.transport.abort()


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


async def reported(rig: GatewayRig, **more: Any) -> None:
    """Report the account with some fields changed."""
    row = msgspec.to_builtins(rig.parts.accounts.rows["irc:libera"])
    await rig.report(row | more)


async def test_a_change_of_an_account_is_told_to_everybody_once() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        first = await client.event("health")
        rig.parts.hub.on_health_changed(at_once=True)
        await client.event("health")  # the next one is a second away
        for phase in ("stopping", "stopped"):
            await reported(rig, phase=phase)
        second = await client.event("health")
        shown = second["payload"]["channels"]["irc"]["accounts"]["libera"]
        assert shown["running"] is False
        assert second["seq"] == first["seq"] + 2
        assert second["stateVersion"]["health"] == first["stateVersion"]["health"] + 2


async def test_a_phase_is_told_at_once_and_what_is_less_no_more_than_every_5_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PHASE_SECONDS", 0.1)
    monkeypatch.setattr(module, "HEALTH_SECONDS", 3600.0)
    async with gateway_rig() as rig:
        client = await greeted(rig)
        await reported(rig, phase="starting")
        await reported(rig, lastError="late")
        await reported(rig, phase="stopping")  # does not wait for that hour
        seen: list[tuple[str, str | None]] = []
        while ("stopping", "late") not in seen:
            health = (await client.event("health"))["payload"]
            shown = health["channels"]["irc"]["accounts"]["libera"]
            seen.append((shown["phase"], shown["lastError"]))
        rig.parts.hub.on_health_changed(at_once=False)
        rig.parts.hub.on_health_changed(at_once=True)
        await client.event("health")


async def test_figures_alone_are_no_health() -> None:
    async with gateway_rig() as rig:
        before = rig.parts.hub.state_version().health
        await reported(rig, messagesIn=7, plugin={"lastInboundAt": 5})
        assert rig.parts.accounts.rows["irc:libera"].messages_in == 7
        assert rig.parts.hub.state_version().health == before


async def test_a_client_may_go_without_the_health() -> None:
    async with gateway_rig() as rig:
        client, other = await greeted(rig), await greeted(rig)
        for each in (client, other):
            await each.event("health")  # after the hello
        await client.call("events.subscribe", {"events": [], "health": False})
        await reported(rig, phase="stopping")
        await other.event("health")
        params = {"events": [], "health": True}
        await client.send(
            {"type": "req", "id": "2", "method": "events.subscribe", "params": params}
        )
        while (frame := await client.next())["type"] != "res":
            assert frame["event"] != "health"
        rig.parts.hub.on_health_changed(at_once=True)
        seen = await client.event("health")
        assert seen["payload"]["channels"]["irc"]["accounts"]["libera"]["phase"] == "stopping"


async def test_an_event_is_made_once_for_all_who_get_it() -> None:
    """What a client costs that gets the answers of all agents, and perhaps does not read them."""
    async with gateway_rig() as rig:
        clients = [await greeted(rig) for _ in range(3)] + [await greeted(rig, 3)]
        made: list[int] = []

        def payload(protocol: int) -> dict[str, int]:
            made.append(protocol)
            return {"protocol": protocol}

        rig.parts.hub.broadcast("tick", payload)
        for client, protocol in zip(clients, (4, 4, 4, 3), strict=True):
            while (frame := await client.event("tick"))["payload"] != {"protocol": protocol}:
                pass
            assert isinstance(frame["seq"], int)
        assert sorted(made) == [3, 4]
