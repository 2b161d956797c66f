"""``gateway``: calls of any method, and what controls the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway, fake_supervisor, status


async def test_any_method_can_be_called(state: Path) -> None:
    def echo(params: Any) -> Any:
        return {"got": params}

    async with fake_gateway(some__method=echo) as fake:
        args = ["some.method", "--params", '{"a": [1, "ü"]}', "--url", fake.url]
        result = await trunkline(state, "gateway", "call", *args, "--token", "secret")
        unknown = await trunkline(
            state, "gateway", "call", "no.such", "--url", fake.url, "--token", "secret"
        )
    assert result.json == {"got": {"a": [1, "ü"]}}
    unknown.complains(ExitCode.ERROR, "unknown method: no.such")


async def test_a_gateway_that_is_not_well_fails_the_command(state: Path) -> None:
    async with fake_gateway(health={"ok": False}) as fake:
        args = ["gateway", "health", "--url", fake.url, "--token", "secret"]
        result = await trunkline(state, *args)
    assert (result.code, result.out) == (ExitCode.ERROR, "not ok\n")


async def test_the_client_that_reads_the_slowest_comes_first(state: Path) -> None:
    client = {"role": "operator", "address": "127.0.0.1", "provedBy": "token", "ageMs": 65_000}
    client |= {"requests": 3, "errors": 0}
    rows = [
        client | {"id": "one", "name": "quick", "unread": 0},
        client | {"id": "two", "name": "slow", "unread": 70_000},
    ]
    async with fake_gateway(gateway__clients={"clients": rows}) as fake:
        args = ["gateway", "clients", "--url", fake.url, "--token", "secret"]
        shown = await trunkline(state, *args)
        document = await trunkline(state, *args, "--json")
    lines = [line.split() for line in shown.out.splitlines()]
    assert [line[0] for line in lines] == ["NAME", "slow", "quick"]
    assert "1m5s" in lines[1]
    assert "70000" in lines[1]
    assert [row["id"] for row in document.json["clients"]] == ["one", "two"]


async def test_the_supervisor_controls_the_gateway(state: Path) -> None:
    row = status()["gateway"]
    methods = {f"gateway__{verb}": {"ok": True, "gateway": row} for verb in ("start", "restart")}
    down = row | {"phase": "stopped", "connected": False, "pid": None}
    methods["gateway__stop"] = {"ok": True, "gateway": down}
    async with fake_supervisor(state, **methods) as fake:
        restarted = await trunkline(state, "gateway", "restart")
        stopped = await trunkline(state, "gateway", "stop", "--json")
        await trunkline(state, "gateway", "start", "--force")
        shown = await trunkline(state, "gateway", "status")
    assert restarted.out == "running  pid 100  ws://127.0.0.1:1\n"
    assert shown.out.startswith(restarted.out)
    assert stopped.json["phase"] == "stopped"
    assert ("gateway.start", {"force": True}) in fake.asked


async def test_a_gateway_that_does_not_come_up_is_a_timeout_with_its_reason(state: Path) -> None:
    row = status(phase="backoff", connected=False, lastError="port is taken")["gateway"]
    async with fake_supervisor(state, gateway__restart={"ok": False, "gateway": row}):
        result = await trunkline(state, "gateway", "restart")
    assert result.code == ExitCode.TIMEOUT
    said = "the gateway is backoff: port is taken; `trunkline logs gateway` says more"
    assert result.err == f"trunkline: {said}\n"
