"""What follows from a change of an account or of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ipc.frames.words import Phase
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.reactions import on_account_hello, on_gateway_changed
from tests.support.accounts import Stage, agent_of, phase, spec_of
from tests.support.parts_rig import PartsRig
from tests.support.until import until

pytestmark = pytest.mark.virtual_time
A = "local:a"


@asynccontextmanager
async def rig_with_account(directory: Path) -> AsyncIterator[PartsRig]:
    rig = PartsRig(directory, workers=Stage(), first_incarnation=100)
    rig.parts.roster.add(spec_of(A))
    await until(lambda: rig.parts.accounts[A].child.process is not None)
    try:
        yield rig
    finally:
        await rig.parts.roster.close()
        rig.close()


async def test_a_change_of_an_account_is_reported_and_broadcast(tmp_path: Path) -> None:
    async with rig_with_account(tmp_path) as rig:
        rig.parts.accounts[A].child.process.kill()  # type: ignore[union-attr]
        await phase(rig.parts.accounts[A], Phase.BACKOFF)
        names = [(name, payload["phase"]) for name, payload in rig.events]
        assert names[-1] == ("channel.status", "backoff")
        reported = rig.parts.reports.changes()
        assert reported is not None
        assert reported["accounts"][A]["phase"] == "starting"  # one phase a report, in order


async def test_the_place_in_the_start_queue_is_given_back(tmp_path: Path) -> None:
    """At the hello, and when the account has ended without one."""
    async with rig_with_account(tmp_path) as rig:
        starts = rig.parts.starts
        starts.set_limit(1)
        loop = asyncio.get_running_loop()
        for give_back in ("hello", "crash"):
            await starts.acquire(A)
            if give_back == "hello":
                on_account_hello(rig.parts, rig.parts.accounts[A])
            else:
                rig.parts.accounts[A].child.process.die(Exit(code=1))  # type: ignore[union-attr]
                await phase(rig.parts.accounts[A], Phase.BACKOFF)
            began = loop.time()
            await starts.acquire("local:other")
            assert loop.time() == began  # it did not wait until the place was taken away
            starts.release("local:other")


async def test_an_account_that_is_removed_is_forgotten_everywhere(tmp_path: Path) -> None:
    async with rig_with_account(tmp_path) as rig:
        rig.take_over({})
        await until(lambda: rig.removed == [A])
        assert rig.events[-1] == ("channel.removed", {"account": A})
        assert rig.parts.history.of(A) == []
        assert rig.logs.forgotten == [A]


async def test_a_change_of_the_gateway_is_broadcast(tmp_path: Path) -> None:
    async with rig_with_account(tmp_path) as rig:
        on_gateway_changed(rig.parts)
        assert rig.events[-1][0] == "gateway.status"
        assert rig.events[-1][1]["phase"] == "stopped"


async def test_a_change_of_an_agent_is_reported_and_broadcast_as_such(tmp_path: Path) -> None:
    async with rig_with_account(tmp_path) as rig:
        rig.parts.roster.add(agent_of("main"))
        await phase(rig.parts.agents["agent:main"], Phase.STARTING)
        assert rig.events[-1][0] == "agent.status"
        assert "agent:main" in rig.parts.reports.whole()["accounts"]
        rig.take_over({A: spec_of(A)})
        await until(lambda: rig.removed == ["agent:main"])
        assert ("agent.removed", {"account": "agent:main"}) in rig.events
