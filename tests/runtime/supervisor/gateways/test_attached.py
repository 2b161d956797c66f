"""A gateway that is only connected to: its session stands for its process."""

from __future__ import annotations

import asyncio

from ipc.frames.words import EXIT_TEMPORARY
from runtime.supervisor.gateways.attached import AttachedGateway
from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.operator_session import Access
from runtime.supervisor.lifecycle import TRANSIENT, Exit
from workers.testing.ports import free_port


async def nothing() -> None:
    return None


async def test_a_stop_only_disconnects() -> None:
    access = Access("ws://127.0.0.1:1", "1", nothing, nothing)
    process = await AttachedGateway(access, 1).spawn(1, asyncio.Event())
    process.terminate()
    process.kill()
    assert await process.wait() == Exit(code=0, text="let go")


async def test_the_failure_of_its_session_is_the_exit_of_its_process() -> None:
    port = free_port()
    access = Access(f"ws://127.0.0.1:{port}", "1", nothing, nothing)
    gateway = AttachedGateway(access, port)
    lost: list[str] = []
    events = SessionEvents(lambda: None, lost.append, lost.append, lost.append)
    session = gateway.session(1, events)
    process = await gateway.spawn(1, asyncio.Event())
    await session.run()  # nobody listens there
    how = await process.wait()
    assert (how.code, how.said) == (EXIT_TEMPORARY, TRANSIENT)
    assert lost == [how.text]
    assert (gateway.url, gateway.port, gateway.listener) == (access.url, port, None)
    assert gateway.last_error is None
