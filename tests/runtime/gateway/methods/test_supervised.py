"""Methods that the supervisor carries out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway_rig import gateway_rig

KEY = "irc:libera"


ANSWERS: dict[str, dict[str, Any]] = {
    "logs.tail": {"file": "trunkline.log", "cursor": 0, "size": 0, "lines": []},
    "config.schema.lookup": {"path": "gateway.port", "schema": {}, "children": []},
    "config.schema": {"schema": {}, "uiHints": {}, "version": "1", "generatedAt": "now"},
}


@pytest.mark.parametrize(
    ("method", "params", "asked"),
    [
        ("logs.tail", {"cursor": 5}, {"cursor": 5, "limit": 500, "maxBytes": 250_000}),
        ("channels.drain", {"accounts": [KEY]}, {"accounts": [KEY], "timeoutMs": 30_000}),
        ("secrets.reload", {}, {}),
        ("supervisor.warnings", {}, {}),
        ("shutdown", {}, {}),
        ("config.schema", {}, {}),
        ("config.schema.lookup", {"path": "gateway.port"}, {"path": "gateway.port"}),
    ],
)
async def test_what_is_the_supervisors_is_asked_of_it(
    method: str, params: dict[str, Any], asked: dict[str, Any]
) -> None:
    async with gateway_rig() as rig:
        answer = {**ANSWERS.get(method, {"done": method})}
        rig.answers[method] = answer
        client = await rig.client()
        assert await client.call(method, params) == answer
        assert (await rig.asked.get())["params"] == asked


@pytest.mark.parametrize("method", ["gateway.restart", "gateway.restart.request"])
async def test_a_restart_is_handed_to_the_supervisor(method: str) -> None:
    async with gateway_rig() as rig:
        rig.answers["gateway.restart.request"] = {"status": "scheduled"}
        client = await rig.client()
        assert (await client.call(method, {}))["status"] == "scheduled"
