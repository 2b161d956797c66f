"""``devices``: each verb is one question to the gateway."""

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
        ("devices approve r1", ("device.pair.approve", {"requestId": "r1"})),
        ("devices reject r1", ("device.pair.reject", {"requestId": "r1"})),
        ("devices remove d1", ("device.pair.remove", {"deviceId": "d1"})),
        ("devices rename d1 new", ("device.pair.rename", {"deviceId": "d1", "label": "new"})),
        ("devices rotate d1", ("device.token.rotate", {"deviceId": "d1", "role": "operator"})),
        ("devices revoke d1", ("device.token.revoke", {"deviceId": "d1", "role": "operator"})),
    ],
)
async def test_each_command_is_one_request(state: Path, typed: str, asked: Any) -> None:
    methods: dict[str, Any] = {asked[0].replace(".", "__"): {"ok": True}}
    async with fake_gateway(**methods) as gate:
        args = (*typed.split(), "--url", gate.url, "--token", "secret")
        assert (await trunkline(state, *args)).code == ExitCode.OK
    assert gate.asked[-1] == asked


async def test_those_that_wait_are_shown_before_those_that_are_paired(state: Path) -> None:
    device = {"deviceId": "d1", "roles": ["operator"], "displayName": "x", "operatorLabel": "desk"}
    pairs = {"pending": [{"requestId": "r1", "deviceId": "d2"}], "paired": [device]}
    async with fake_gateway(device__pair__list=pairs) as gate:
        place = ("--url", gate.url, "--token", "secret")
        shown = await trunkline(state, "devices", "list", *place)
        whole = await trunkline(state, "devices", "list", "--json", *place)
    assert [each.split()[0] for each in shown.out.splitlines()] == ["STATE", "waits", "paired"]
    assert "desk" in shown.out
    assert whole.json == pairs
