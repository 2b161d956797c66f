"""Our own gateway: its socket outlives its processes, over a real port."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.frames.bootstrap import GatewayBoot
from runtime.supervisor.gateways.own import ListeningSocket, OwnGateway
from runtime.supervisor.gateways.port import PortTaken
from runtime.supervisor.lifecycle import Exit
from tests.support.gateway_context import gateway_context


def test_the_socket_is_opened_once_and_clients_are_refused_after_the_close() -> None:
    listener = ListeningSocket("127.0.0.1", 0)
    listener.open()
    port, fd = listener.port, listener.fileno()
    listener.open()
    assert (listener.port, listener.fileno()) == (port, fd)
    with socket.create_connection(("127.0.0.1", port)):
        pass
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_port_that_is_taken_is_an_error_and_one_of_ours_is_not_taken_by_force() -> None:
    first = ListeningSocket("127.0.0.1", 0)
    await first.open_by_force()  # nothing holds it
    await first.open_by_force()
    second = ListeningSocket("127.0.0.1", first.port)
    with pytest.raises(PortTaken):
        second.open()
    first.close()


async def test_it_is_spawned_with_its_socket_and_its_secret(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = OwnGateway("127.0.0.1", 0, rig.context)
        process = await gateway.spawn(7, asyncio.Event())
        spec = rig.spawned[-1].spec
        boot = msgspec.msgpack.decode(spec.payload, type=GatewayBoot)
        assert (spec.name, boot.incarnation) == ("gateway#7", 7)
        assert len(boot.session_token) > 32
        assert "listen" in spec.fds
        assert gateway.port > 0
        assert gateway.url == f"ws://127.0.0.1:{gateway.port}"
        rig.spawned[-1].complain("out of luck")
        rig.spawned[-1].die(Exit(code=3))
        assert await process.wait() == Exit(code=3)
        assert gateway.last_error == "out of luck"
        assert gateway.listener is not None
        gateway.listener.close()


async def test_an_encrypted_port_is_reached_by_wss(tmp_path: Path) -> None:
    async with gateway_context(tmp_path) as rig:
        gateway = OwnGateway("127.0.0.1", 18789, rig.context, certificate="/x.pem")
        assert gateway.url == "wss://127.0.0.1:18789"


async def test_the_port_of_the_canvas_host_outlives_processes_and_follows_its_section(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("", 0)) as other:
        used, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        async with gateway_context(tmp_path) as rig:
            gateway = OwnGateway("127.0.0.1", 0, rig.context)

            async def fds(**section: Any) -> dict[str, int]:
                rig.canvas = section
                await gateway.spawn(1, asyncio.Event())
                return dict(rig.spawned[-1].spec.fds)

            assert "canvas" not in await fds()
            first = await fds(enabled=True, port=free)
            assert (await fds(enabled=True, port=free)) == first
            socket.create_connection(("127.0.0.1", free)).close()
            assert "canvas" not in await fds(enabled=True, port=used)
            (warning,) = gateway.warnings
            assert warning.startswith(f"canvasHost.port: port {used} on 127.0.0.1 is in use by")
            assert "canvas" not in await fds(enabled=False, port=free)
            assert gateway.warnings == []
            assert "canvas" in await fds(enabled=True, port=free)
            assert gateway.listener is not None
            gateway.listener.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", free))
