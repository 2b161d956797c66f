"""A gateway from its start to its end, and the order of what ends a turn of its loop."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, cast

import pytest

from ipc.errors import ConnectionFailed, PeerGone, RemoteError
from ipc.websocket.client import Client
from runtime.gateway import gateway as gateway_module
from runtime.gateway.accounts.data_link import DataRouter
from runtime.gateway.accounts.fanout import Fanout
from runtime.gateway.accounts.intake import Intake
from runtime.gateway.draining import drain
from runtime.gateway.gateway import GatewayTurn
from runtime.gateway.request_times import RequestTimes
from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.handshakes import greeted
from tests.support.until import PATIENCE, until

KEY = "irc:libera"


async def test_after_the_end_nobody_is_served() -> None:
    async with gateway_rig() as rig:
        await drain(rig.gateway)
        with pytest.raises((ConnectionFailed, OSError)):
            await Client.connect(rig.url, token=TOKEN, timeout=1.0)


async def test_an_end_without_a_drain_fails_calls_under_way_and_closes_with_1012() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        called = asyncio.Event()
        worker.on_call = lambda call: called.set()
        raw = await greeted(rig)
        params = {"to": "x", "message": "hi", "idempotencyKey": "k"}
        await raw.send({"type": "req", "id": "s", "method": "send", "params": params})
        await called.wait()
        await rig.gateway.close()
        answer = await raw.response()
        assert (answer["id"], answer["error"]["code"]) == ("s", "UNAVAILABLE")
        assert await raw.closed() == (1012, "service restart")


async def test_a_client_that_leaves_is_counted_no_more_but_its_requests_are() -> None:
    async with gateway_rig() as rig:
        before = rig.parts.hub.requests
        client = await rig.client()
        await client.call("health")
        assert (len(rig.parts.hub.clients), rig.parts.hub.requests) == (2, before + 1)
        await client.close()
        await until(lambda: len(rig.parts.hub.clients) == 1)
        assert rig.parts.hub.requests == before + 1


async def test_without_http_the_port_is_for_clients_alone() -> None:
    async with gateway_rig(http={"enabled": False}) as rig:
        assert (await (await rig.client()).call("health"))["ok"]
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b'"status":"live"' not in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_calls_meet_the_end_of_the_supervisor_and_of_workers_alike() -> None:
    async with gateway_rig() as rig:
        asking = asyncio.ensure_future(rig.parts.supervisor.ask_raw("channels.holds", {}))
        await rig.asked.get()
        await rig.gateway.close()
        with pytest.raises((PeerGone, RemoteError)):
            await asking


def test_a_turn_stores_publishes_then_calls_and_acknowledges_after_the_write() -> None:
    order: list[str] = []

    class Journal:
        def flush(self) -> None:
            order.append("store")

    class Parts:
        def flush(self) -> None:
            order.append("publish")

        def send_calls(self) -> None:
            order.append("calls")

        def acknowledge(self) -> None:
            order.append("acknowledge")

    parts, times = Parts(), RequestTimes()
    journal = cast(Intake, Journal())
    turn = GatewayTurn(cast(Fanout, parts), cast(DataRouter, parts), journal, times)
    times.on_answered("send", perf_counter() - 0.01)
    turn.before_write()
    order.append("write")
    assert not times.by_method
    turn.after_write()
    assert order == ["store", "publish", "calls", "write", "acknowledge"]
    assert sum(times.by_method["send"][:-1]) == 1
    assert times.by_method["send"][-1] >= 0.01


async def test_a_warning_that_the_supervisor_did_not_take_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway_module, "WARN_SECONDS", 0.01)
    telemetry = {"enabled": True, "headers": {"a": {"source": "file", "id": "/no/such/file"}}}
    async with gateway_rig(telemetry=telemetry) as rig:
        rig.answers["gateway.warnings"] = {
            "ok": False,
            "error": {"code": "UNAVAILABLE", "message": "busy"},
        }
        async with asyncio.timeout(PATIENCE):
            first = await asked_of(rig, "gateway.warnings")
            rig.answers["gateway.warnings"] = {}
            again = await asked_of(rig, "gateway.warnings")
        await rig.report()  # behind the answer to that
        assert first["params"] == again["params"]
        (warning,) = first["params"]["warnings"]
        assert "/no/such/file" in warning


async def asked_of(rig: GatewayRig, method: str) -> dict[str, Any]:
    """Return the next request of a method to the supervisor."""
    while True:
        request = await rig.asked.get()
        if request["method"] == method:
            return request
