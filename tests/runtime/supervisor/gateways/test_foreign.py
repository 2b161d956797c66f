"""A foreign program: how it is started, repaired once, and how its exit is classified.

Real programs are driven in tests/scenarios/test_foreign.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.supervisor.gateways.foreign import ForeignGateway, Program
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.operator_session import Access
from runtime.supervisor.gateways.port import PortTaken, listen
from runtime.supervisor.lifecycle import MISCONFIGURED, Exit
from tests.support.gateway_context import GatewayContextRig, gateway_context
from tests.support.until import until
from workers.testing.ports import free_port

DAMAGE = "Config invalid: run openclaw doctor --fix"


async def nothing() -> None:
    return None


async def token() -> str | None:
    return "s3cret"


def gateway_of(rig: GatewayContextRig, **program: object) -> ForeignGateway:
    port = free_port()
    access = Access(f"ws://127.0.0.1:{port}", "1", token, nothing)
    given = Program(("openclaw", "gateway"), "127.0.0.1", port, **program)  # type: ignore[arg-type]
    return ForeignGateway(given, access, rig.context)


async def end(rig: GatewayContextRig, gateway: ForeignGateway, how: Exit, text: str = "") -> Exit:
    """Start it, let it complain and end; return how the exit was classified."""
    process = await gateway.spawn(len(rig.spawned) + 1, asyncio.Event())
    rig.spawned[-1].complain(text)
    rig.spawned[-1].die(how)
    return await process.wait()


async def test_port_and_token_are_in_its_environment_alone(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig)
        await gateway.spawn(1, asyncio.Event())
        spec = rig.spawned[-1].spec
        assert spec.command == ("openclaw", "gateway")
        assert spec.env == {
            "OPENCLAW_GATEWAY_PORT": str(gateway.port),
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_GATEWAY_TOKEN": "s3cret",
        }


async def test_it_is_not_started_while_another_program_has_its_port(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig)
        with listen("127.0.0.1", gateway.port), pytest.raises(PortTaken):
            await gateway.spawn(1, asyncio.Event())
        assert rig.spawned == []


async def test_damage_without_a_repair_needs_a_person(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        how = await end(rig, gateway_of(rig), Exit(code=1), DAMAGE)
        assert (how.said, how.text) == (MISCONFIGURED, DAMAGE)
        assert rig.respawns == []


async def test_damage_is_repaired_before_the_next_start_which_follows_at_once(
    tmp_path: Path,
) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig, repair=("doctor", "--fix"))
        how = await end(rig, gateway, Exit(code=1), DAMAGE)
        assert how.said is None
        assert rig.respawns == [DAMAGE]
        starting = asyncio.create_task(gateway.spawn(2, asyncio.Event()))
        await until(lambda: len(rig.spawned) == 2)
        assert rig.spawned[1].spec.command == ("doctor", "--fix")
        rig.spawned[1].die(Exit(code=0))
        await starting
        assert rig.spawned[2].spec.command == ("openclaw", "gateway")


async def test_a_stop_ends_the_repair_and_nothing_is_started(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig, repair=("doctor", "--fix"))
        await end(rig, gateway, Exit(code=1), DAMAGE)
        stopping = asyncio.Event()
        starting = asyncio.create_task(gateway.spawn(2, stopping))
        await until(lambda: len(rig.spawned) == 2)
        stopping.set()
        process = await starting
        assert rig.spawned[1].signals == ["kill"]
        assert len(rig.spawned) == 2
        process.terminate()
        process.kill()
        assert await process.wait() == Exit(said=MISCONFIGURED, text=DAMAGE)


async def test_one_that_refuses_us_needs_a_person(tmp_path: Path) -> None:
    faults: list[str] = []
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig)
        process = await gateway.spawn(1, asyncio.Event())
        events = SessionEvents(lambda: None, faults.append, faults.append, faults.append)
        session = gateway.session(1, events)
        session._events.refused("wrong token")  # type: ignore[attr-defined] # what a refusal calls
        rig.spawned[-1].die(Exit(code=0))
        how = await process.wait()
        assert (how.said, how.text, faults) == (MISCONFIGURED, "wrong token", ["wrong token"])


async def test_the_reload_signal_is_sent_and_one_that_it_ends_is_started_anew(
    tmp_path: Path,
) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = gateway_of(rig, reload_signal=10)
        assert not gateway.reload()  # there is no process yet
        process = await gateway.spawn(1, asyncio.Event())
        assert gateway.reload()
        assert rig.spawned[-1].signals == [10]
        rig.spawned[-1].die(Exit(signal=10))
        assert await process.wait() == Exit(signal=10)
        assert rig.respawns == ["the signal to reload has ended it"]
        assert not gateway_of(rig).reload()
