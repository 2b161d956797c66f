"""What is found out about a gateway: its process, its reachability, its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway, fake_supervisor, status


async def test_state_and_reachability_are_told_apart(state: Path) -> None:
    async with fake_gateway(status={}) as gate:
        url = gate.url
        row = status(url=url, port=int(url.rpartition(":")[2]))
        logs = {"lines": [{"level": "error", "event": "boom"}, {"level": "info", "event": "fine"}]}
        async with fake_supervisor(state, supervisor__status=row, channels__logs=logs):
            shown = await trunkline(state, "gateway", "status", "--token", "secret", "--json")
            people = await trunkline(state, "gateway", "status", "--token", "secret")
            blind = await trunkline(state, "gateway", "status", "--no-probe", "--json")
    assert (shown.code, shown.json["phase"], shown.json["probe"]["ok"]) == (0, "running", True)
    assert shown.json["config"] == {"path": str(state / "trunkline.json5"), "exists": False}
    assert shown.json["lastErrorLine"] == "boom"
    assert f"probe          {url}  reachable in" in people.out
    assert "last error     boom" in people.out
    assert blind.json["probe"] is None


async def test_an_unreachable_gateway_fails_only_where_an_answer_is_required(state: Path) -> None:
    row = status(url="ws://127.0.0.1:1")
    async with fake_supervisor(state, supervisor__status=row):
        shown = await trunkline(state, "gateway", "status", "--json")
        required = await trunkline(state, "gateway", "status", "--require-rpc")
    assert (shown.code, shown.json["probe"]["ok"]) == (ExitCode.OK, False)
    assert required.code == ExitCode.ERROR
    assert "rpc            failed: " in required.out


async def test_a_gateway_elsewhere_can_be_required_too(state: Path) -> None:
    async with fake_gateway(status={}) as gate:
        args = ("gateway", "status", "--url", gate.url, "--token", "secret")
        result = await trunkline(state, *args, "--require-rpc", "--json")
    assert (result.code, result.json["rpc"]) == (ExitCode.OK, {"ok": True})
    assert result.json["supervisor"] is None


async def test_a_probe_asks_all_at_once_and_judges_by_health(state: Path) -> None:
    methods: dict[str, Any] = {"health": {"ok": True}, "status": {}, "config__get": {}}
    async with fake_gateway(**methods) as gate:
        args = ("gateway", "probe", "--url", gate.url, "--token", "secret", "--json")
        result = await trunkline(state, *args)
    assert (result.code, result.json["ok"]) == (ExitCode.OK, True)
    assert result.json["parts"]["config.get"]["ok"] is True
    assert result.json["parts"]["system-presence"]["ok"] is False
