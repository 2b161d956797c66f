"""``nodes``: each verb is one question to the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_gateway


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("nodes approve r1", ("node.pair.approve", {"requestId": "r1"})),
        ("nodes reject r1", ("node.pair.reject", {"requestId": "r1"})),
        ("nodes remove n1", ("node.pair.remove", {"nodeId": "n1"})),
        ("nodes rename n1 new", ("node.rename", {"nodeId": "n1", "displayName": "new"})),
        ("nodes describe n1", ("node.describe", {"nodeId": "n1"})),
    ],
)
async def test_each_command_is_one_request(state: Path, typed: str, asked: Any) -> None:
    methods: dict[str, Any] = {asked[0].replace(".", "__"): {"ok": True}}
    async with fake_gateway(**methods) as gate:
        args = (*typed.split(), "--url", gate.url, "--token", "secret")
        assert (await trunkline(state, *args)).code == ExitCode.OK
    assert gate.asked[-1] == asked


async def test_nodes_are_listed(state: Path) -> None:
    node = {"nodeId": "n1", "connected": True, "commands": ["a", "b"]}
    async with fake_gateway(node__list={"nodes": [node]}) as gate:
        shown = await trunkline(state, "nodes", "status", "--url", gate.url, "--token", "secret")
    assert "n1" in shown.out
    assert "a, b" in shown.out


async def test_those_that_wait_are_shown_before_those_that_are_approved(state: Path) -> None:
    pairs = {"pending": [{"requestId": "r1", "nodeId": "n2"}], "paired": [{"nodeId": "n1"}]}
    async with fake_gateway(node__pair__list=pairs) as gate:
        place = ("--url", gate.url, "--token", "secret")
        shown = await trunkline(state, "nodes", "list", *place)
        whole = await trunkline(state, "nodes", "list", "--json", *place)
    assert [each.split()[0] for each in shown.out.splitlines()] == ["STATE", "waits", "approved"]
    assert whole.json == pairs


async def test_a_node_is_given_its_parameters_once_and_time_to_answer(state: Path) -> None:
    async with fake_gateway(node__invoke={"ok": True}) as gate:
        args = ("nodes", "invoke", "n1", "camera.snap", "--params", '{"a": 1}', "--timeout", "2")
        shown = await trunkline(state, *args, "--url", gate.url, "--token", "secret")
    assert shown.json == {"ok": True}
    given = gate.asked[-1][1]
    assert given.pop("idempotencyKey")
    expected = {"nodeId": "n1", "command": "camera.snap", "params": {"a": 1}, "timeoutMs": 2000}
    assert given == expected
