"""The parts of a running gateway: one of each, which all that use them share."""

from __future__ import annotations

import pytest

from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"


async def test_no_part_can_be_replaced() -> None:
    async with gateway_rig() as rig:
        with pytest.raises(AttributeError):
            rig.parts.hub = rig.parts.hub  # type: ignore[misc]


async def test_a_report_reaches_every_part_that_knows_accounts() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.say(1)
        watcher = await rig.watcher()
        await rig.report(row(KEY, "stopped"))
        parts = rig.parts
        assert parts.accounts.rows[KEY].phase == "stopped"
        assert parts.health.status()["channelSummary"] == [f"{KEY}: stopped"]
        assert KEY not in parts.peers.by_key
        assert (await watcher.call("status"))["accounts"][0]["phase"] == "stopped"


async def test_each_gateway_has_a_boot_id_of_its_own() -> None:
    async with gateway_rig() as first, gateway_rig() as second:
        assert first.parts.boot_id != second.parts.boot_id
