"""An account in its worker: its activity is told by what was counted since the last beat."""

from __future__ import annotations

from pathlib import Path

from tests.support.worker_rig import worker_rig


async def test_messages_are_counted_and_their_times_reported(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(beat=0.02)
        plugin = await rig.up()
        supervisor = rig.supervisor
        assert "lastEventAt" not in supervisor.status()
        await plugin.say("hello")
        await supervisor.until(lambda: "lastInboundAt" in supervisor.status())
        assert "lastOutboundAt" not in supervisor.status()
        await rig.gateway.result("send", {"to": "x", "text": "y", "key": "k"})
        await supervisor.until(lambda: "lastOutboundAt" in supervisor.status())
        assert supervisor.status()["lastEventAt"] >= supervisor.status()["lastInboundAt"]
