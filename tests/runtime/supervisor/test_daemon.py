"""What the service manager and a person at the terminal are told while the daemon runs."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from ipc.frames.words import Phase
from runtime.supervisor.daemon import report_failed_start, report_to_service_manager
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.systemd import Notifier
from tests.support.managed_gateway import GatewayRig, gateway_rig
from tests.support.parts_rig import PartsRig
from tests.support.until import PATIENCE

pytestmark = pytest.mark.virtual_time


async def crash(rig: GatewayRig) -> None:
    """Have the gateway's process end before it is ready, and wait for what follows."""
    while not (rig.kind.puppets and rig.kind.puppets[-1].alive):  # noqa: ASYNC110 - time must pass
        await asyncio.sleep(0.1)
    rig.kind.puppets[-1].die(Exit(code=1, text="no room"))
    await rig.is_in(Phase.BACKOFF)
    await asyncio.sleep(0.1)


async def test_a_gateway_that_does_not_start_is_said_once_and_again_after_it_was_up() -> None:
    said: list[str] = []
    async with gateway_rig() as rig:
        task = asyncio.create_task(report_failed_start(rig.gateway, said.append))
        rig.gateway.start()
        await crash(rig)
        assert said == []  # one failure alone is over before it is read
        await crash(rig)
        await crash(rig)
        assert [text.splitlines()[0] for text in said] == ["the gateway does not start: no room"]
        await rig.is_in(Phase.STARTING)
        await asyncio.sleep(0.1)
        rig.link.open()
        await rig.is_in(Phase.RUNNING)
        rig.kind.puppets[-1].die(Exit(code=1, text="no room"))
        await crash(rig)
        assert len(said) == 2
        task.cancel()
        await asyncio.wait([task])


async def test_one_that_needs_a_person_says_what_to_do() -> None:
    said: list[str] = []
    async with gateway_rig() as rig:
        task = asyncio.create_task(report_failed_start(rig.gateway, said.append))
        rig.gateway.start()
        await rig.is_in(Phase.STARTING)
        await asyncio.sleep(0.1)
        rig.kind.puppets[-1].die(Exit(code=78, said="misconfigured", text="bad port"))
        await rig.is_in(Phase.FAILED)
        await asyncio.sleep(0.1)
        assert "the gateway does not start: bad port" in said[0]
        assert "`trunkline gateway start`" in said[0]
        task.cancel()
        await asyncio.wait([task])


def service_manager(path: Path) -> AbstractContextManager[socket.socket]:
    """Return a socket that takes what a service says about itself."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(path))
    made.setblocking(False)
    return closing(made)


async def test_the_service_manager_gets_a_sign_of_life_and_one_line(short_path: Path) -> None:
    address = short_path / "notify"
    with service_manager(address) as manager:
        rig = PartsRig(short_path)
        notifier = Notifier({"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1000000"})
        parts = replace(rig.parts, notifier=notifier)
        task = asyncio.create_task(report_to_service_manager(parts))
        await asyncio.sleep(0.1)
        assert manager.recv(100) == b"WATCHDOG=1"
        assert manager.recv(100) == b"STATUS=gateway stopped; accounts: none"
        parts.shutdown.request("the test")
        await asyncio.sleep(0.5)  # the watchdog's pace
        assert manager.recv(100) == b"WATCHDOG=1"
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        task.cancel()
        await asyncio.wait([task])
        rig.close()


async def test_without_a_service_manager_nothing_is_reported(tmp_path: Path) -> None:
    rig = PartsRig(tmp_path)
    async with asyncio.timeout(PATIENCE):
        await report_to_service_manager(rig.parts)
    rig.close()
