"""The link of an agent: turns go out again where they were lost, and calls beside them."""

from __future__ import annotations

from pathlib import Path

from ipc.frames import control, data
from tests.support.controllable_agent import AGENT, ControllableAgent
from tests.support.turns import begin, follow
from tests.support.worker_rig import worker_rig
from workers.agent import Delta, Notice, ToolResult


async def test_a_new_gateway_gets_what_was_not_acknowledged_and_nothing_is_begun_twice(
    run_dir: Path,
) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(AGENT, key="agent:test")
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        await rig.gateway.until(lambda: rig.gateway.hellos)
        received = follow(rig.gateway)
        rig.gateway.send(begin("hang first"))
        await rig.gateway.until(lambda: received.numbered())
        rig.gateway.send(begin("whole", "second"))
        await rig.gateway.until(lambda: received.outcome("second"))
        rig.gateway.send(data.TurnAck("second", 2))
        again = follow(rig.restart_gateway())
        await rig.gateway.until(lambda: again.outcome("second") and again.numbered())
        assert again.numbered() == {1: Delta("first")}
        assert again.numbered("second") == {3: ToolResult("1", "2"), 4: Notice("thinks")}
        assert again.taken() == []
        rig.gateway.send(begin("hang first", after=1))
        await rig.gateway.until(lambda: again.taken())
        agent = ControllableAgent.latest
        agent.go.set()
        await rig.gateway.until(lambda: again.outcome())
        assert again.numbered() == {1: Delta("first"), 2: Delta("went on")}
        assert agent.texts == ["hang first", "whole"]
        rig.gateway.send(data.TurnAck("run-1", 3))
        rig.gateway.send(data.TurnAck("second", 5))
        assert await rig.stop() == 0


async def test_a_burst_is_sent_in_packs_and_the_link_is_alive_meanwhile(run_dir: Path) -> None:
    async with worker_rig(run_dir) as rig:
        rig.start(AGENT, key="agent:test")
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        await rig.gateway.until(lambda: rig.gateway.hellos)
        received = follow(rig.gateway)
        names = [f"run-{number}" for number in range(40)]
        for name in names:
            rig.gateway.send(begin("long 60000", name))
        assert (await rig.gateway.error("probe", {}))["code"] == "INVALID_REQUEST"

        def acknowledge(frame: data.FromWorker) -> None:
            received.take(frame)
            if isinstance(frame, data.TurnEvents):
                rig.gateway.send(data.TurnAck(frame.turn, frame.last))

        rig.gateway.heed = acknowledge
        for name in names:
            if came := received.numbered(name):
                rig.gateway.send(data.TurnAck(name, max(came)))
        await rig.gateway.until(lambda: all(map(received.outcome, names)))
        for name in names:
            text = "".join(each.text for each in received.events(name) if isinstance(each, Delta))
            assert len(text) == 60_000
