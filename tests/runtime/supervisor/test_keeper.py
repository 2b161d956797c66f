from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from ipc.frames.words import Phase
from runtime.supervisor.child import Child
from runtime.supervisor.keeper import keep, spare
from runtime.supervisor.lifecycle import Event, Policy, Ready, Start, State
from tests.support.accounts import Puppet
from tests.support.until import until

pytestmark = pytest.mark.virtual_time


class Ward:
    """A child whose surroundings are broken for a while."""

    def __init__(self) -> None:
        self.puppets: list[Puppet] = []
        self.faults = 0  # still to come, when told of RUNNING
        self.child = Child("local:demo", Policy(jitter=0.0), self._spawn, on_change=self._told)

    async def _spawn(self, incarnation: int) -> Any:
        self.puppets.append(Puppet("local:demo", incarnation, 1))
        return self.puppets[-1]

    def _told(self, name: str, state: State, event: Event) -> None:
        if self.faults and state.phase is Phase.RUNNING:
            self.faults -= 1
            raise RuntimeError("no room")

    async def start(self) -> None:
        born = len(self.puppets)
        self.child.post(Start())
        await until(lambda: len(self.puppets) > born and self.child.process)
        self.child.post(Ready(self.child.state.incarnation))


async def test_a_fault_costs_the_child_a_failure_and_it_comes_back() -> None:
    ward = Ward()
    ward.faults = 1
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(keep(ward.child))
        await ward.start()
        await until(lambda: ward.child.state.phase is Phase.BACKOFF)
        assert ward.child.state.reason == "supervision failed: RuntimeError: no room"
        assert ward.puppets[0].signals == ["kill"]
        await asyncio.sleep(5.0)
        ward.child.post(Ready(ward.child.state.incarnation))
        await until(lambda: ward.child.state.phase is Phase.RUNNING)
        assert len([puppet for puppet in ward.puppets if puppet.alive]) == 1
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in logs] == ["supervision failed"]


async def test_a_cancellation_ends_it_and_the_process() -> None:
    ward = Ward()
    task = asyncio.create_task(keep(ward.child))
    await ward.start()
    await until(lambda: ward.child.state.phase is Phase.RUNNING)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert ward.puppets[0].signals == ["kill"]


async def test_what_can_be_spared_ends_only_itself() -> None:
    async def work() -> None:
        raise OSError("no inotify left")

    with structlog.testing.capture_logs() as logs:
        await spare("watching", work())
    assert [(line["event"], line["what"]) for line in logs] == [("given up", "watching")]


async def test_what_can_be_spared_can_be_cancelled() -> None:
    task = asyncio.create_task(spare("watching", asyncio.Event().wait()))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
