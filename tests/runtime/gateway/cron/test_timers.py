"""Timers begin once the journal is read."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ipc.errors import RemoteError
from runtime.config.timers import CronConfig, HeartbeatConfig
from runtime.gateway.cron import timers as module
from runtime.gateway.cron.timers import Timers
from tests.support.gateway_rig import gateway_rig
from tests.support.until import until


async def test_nothing_is_opened_for_timers_that_there_are_not() -> None:
    async with gateway_rig(agents="echo") as rig:
        rig.parts.timers.begin()
        rig.parts.timers.configure(CronConfig(max_jobs=3))
        assert rig.parts.intake.journal is None
        assert rig.parts.timers.figures() == (0, 0)
        listed = rig.parts.agents.listed
        entry = replace(listed.entries["echo"], heartbeat=HeartbeatConfig(every="1h"))
        rig.parts.agents.listed = replace(listed, entries={"echo": entry})
        rig.parts.timers.begin()
        await until(lambda: rig.parts.timers.scheduler.loaded.is_set())
        assert rig.parts.timers.scheduler.config.max_jobs == 3


async def test_who_asks_too_early_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.01)
    async with gateway_rig(agents="echo") as rig:
        with pytest.raises(RemoteError, match="are being read"):
            await Timers(rig.parts.timers.links).ready()
