"""Commands that ask a gateway: its state, nodes, devices, its log, media."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import line, started, trunkline
from tests.support.fakeserver import fake_gateway, fake_supervisor, status

LINES = [json.dumps({"ts": "2026-01-01T00:00:00.000Z", "account": "irc:a", "text": "one"})]


async def test_state_and_reachability_are_told_apart(home: Path) -> None:
    async with fake_gateway(status={}) as gate:
        url = gate.url
        row = status(url=url, port=int(url.rpartition(":")[2]))
        logs = {"lines": [{"level": "error", "event": "boom"}, {"level": "info", "event": "fine"}]}
        async with fake_supervisor(home, supervisor__status=row, channels__logs=logs):
            shown = await trunkline(home, "gateway", "status", "--token", "secret", "--json")
            people = await trunkline(home, "gateway", "status", "--token", "secret")
            blind = await trunkline(home, "gateway", "status", "--no-probe", "--json")
    assert (shown.code, shown.json["phase"], shown.json["probe"]["ok"]) == (0, "running", True)
    assert shown.json["config"] == {"path": str(home / "trunkline.json5"), "exists": False}
    assert shown.json["lastErrorLine"] == "boom"
    assert f"probe          {url}  reachable in" in people.out
    assert "last error     boom" in people.out
    assert blind.json["probe"] is None


async def test_an_unreachable_gateway_fails_only_where_an_answer_is_required(home: Path) -> None:
    row = status(url="ws://127.0.0.1:1")
    async with fake_supervisor(home, supervisor__status=row):
        shown = await trunkline(home, "gateway", "status", "--json")
        required = await trunkline(home, "gateway", "status", "--require-rpc")
    assert (shown.code, shown.json["probe"]["ok"]) == (ExitCode.OK, False)
    assert required.code == ExitCode.ERROR
    assert "rpc            failed: " in required.out


async def test_a_gateway_elsewhere_can_be_required_too(home: Path) -> None:
    async with fake_gateway(status={}) as gate:
        args = ("gateway", "status", "--url", gate.url, "--token", "secret")
        result = await trunkline(home, *args, "--require-rpc", "--json")
    assert (result.code, result.json["rpc"]) == (ExitCode.OK, {"ok": True})
    assert result.json["supervisor"] is None


async def test_a_probe_asks_all_at_once_and_judges_by_health(home: Path) -> None:
    methods: dict[str, Any] = {"health": {"ok": True}, "status": {}, "config__get": {}}
    async with fake_gateway(**methods) as gate:
        args = ("gateway", "probe", "--url", gate.url, "--token", "secret", "--json")
        result = await trunkline(home, *args)
    assert (result.code, result.json["ok"]) == (ExitCode.OK, True)
    assert result.json["parts"]["config.get"]["ok"] is True
    assert result.json["parts"]["system-presence"]["ok"] is False


async def test_media_needs_no_text(home: Path) -> None:
    async with fake_gateway(send={"messageId": "m"}) as gate:
        args = ["message", "send", "--account", "irc:a", "-t", "#x", "--url", gate.url]
        args += ["--token", "secret"]
        sent = await trunkline(home, *args, "--media", "http://a/1", "--media", "http://a/2")
        nothing = await trunkline(home, *args)
    assert sent.out == "sent (m)\n"
    assert gate.asked[-1][1]["mediaUrls"] == ["http://a/1", "http://a/2"]
    nothing.complains(ExitCode.USAGE, "--message or --media")


async def test_the_log_of_a_gateway_elsewhere(home: Path) -> None:
    answer = {"file": "f", "cursor": 7, "size": 7, "lines": [*LINES, "no json"]}
    async with fake_gateway(logs__tail=answer) as gate:
        args = ("logs", "--url", gate.url, "--token", "secret")
        people = await trunkline(home, *args)
        chosen = await trunkline(home, *args, "irc", "--json")
    assert "one" in people.out
    assert "no json" in people.out
    assert [json.loads(each)["text"] for each in chosen.out.splitlines()] == ["one"]


async def test_following_goes_on_from_the_cursor(home: Path) -> None:
    answers = iter([{"cursor": 7, "lines": []}, {"cursor": 9, "lines": LINES}])

    def tail(params: Any) -> Any:
        return next(answers, {"cursor": 9, "lines": []})

    async with fake_gateway(logs__tail=tail) as gate:
        args = ("logs", "-f", "--url", gate.url, "--token", "secret")
        async with started(home, *args) as process:
            assert "one" in await line(process)
    assert ("logs.tail", {"cursor": 7}) in gate.asked


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("nodes approve r1", ("node.pair.approve", {"requestId": "r1"})),
        ("nodes reject r1", ("node.pair.reject", {"requestId": "r1"})),
        ("nodes remove n1", ("node.pair.remove", {"nodeId": "n1"})),
        ("nodes rename n1 new", ("node.rename", {"nodeId": "n1", "displayName": "new"})),
        ("nodes describe n1", ("node.describe", {"nodeId": "n1"})),
        ("devices approve r1", ("device.pair.approve", {"requestId": "r1"})),
        ("devices reject r1", ("device.pair.reject", {"requestId": "r1"})),
        ("devices remove d1", ("device.pair.remove", {"deviceId": "d1"})),
        ("devices rename d1 new", ("device.pair.rename", {"deviceId": "d1", "label": "new"})),
        ("devices rotate d1", ("device.token.rotate", {"deviceId": "d1", "role": "operator"})),
        ("devices revoke d1", ("device.token.revoke", {"deviceId": "d1", "role": "operator"})),
    ],
)
async def test_each_verb_is_one_question(home: Path, typed: str, asked: Any) -> None:
    methods: dict[str, Any] = {asked[0].replace(".", "__"): {"ok": True}}
    async with fake_gateway(**methods) as gate:
        args = (*typed.split(), "--url", gate.url, "--token", "secret")
        assert (await trunkline(home, *args)).code == ExitCode.OK
    assert gate.asked[-1] == asked


async def test_nodes_and_devices_are_listed(home: Path) -> None:
    node = {"nodeId": "n1", "connected": True, "commands": ["a", "b"]}
    device = {"deviceId": "d1", "roles": ["operator"]}
    pairs = {"pending": [{"requestId": "r1", "deviceId": "d2"}], "paired": [device]}
    async with fake_gateway(node__list={"nodes": [node]}, device__pair__list=pairs) as gate:
        place = ("--url", gate.url, "--token", "secret")
        nodes = await trunkline(home, "nodes", "status", *place)
        devices = await trunkline(home, "devices", "list", *place)
        whole = await trunkline(home, "devices", "list", "--json", *place)
    assert "n1" in nodes.out
    assert "a, b" in nodes.out
    assert [each.split()[0] for each in devices.out.splitlines()] == ["STATE", "waits", "paired"]
    assert whole.json == pairs


async def test_following_goes_on_over_a_restart(home: Path) -> None:
    async with fake_gateway(logs__tail={"cursor": 7, "lines": []}) as gate:
        args = ("logs", "-f", "--url", gate.url, "--token", "secret")
        async with started(home, *args) as process:
            await gate.asked_for("logs.tail", 2)
            port = gate.port
            await gate.close()
            gate.methods["logs.tail"] = {"cursor": 9, "lines": LINES}
            await gate.on_tcp(port)
            assert "one" in await line(process)
