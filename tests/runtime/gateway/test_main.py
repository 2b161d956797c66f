"""The gateway's process: its exit codes and what it reports before it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import msgspec

from ipc.frames.words import EXIT_OK
from ipc.websocket.client import Client
from runtime.gateway.main import main
from tests.support.gateway_rig import SESSION, boot_of


async def test_a_secret_that_cannot_be_read_is_a_configuration_error(short_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    said: list[tuple[str, str]] = []
    boot = msgspec.msgpack.decode(boot_of(short_path, 1))
    boot["gateway"] = {"auth": {"token": {"source": "env", "id": "NOT_SET_ANYWHERE"}}}
    fds = {"listen": os.dup(listener.fileno())}
    listener.close()

    def say(cause: str, text: str) -> None:
        said.append((cause, text))

    assert await main(msgspec.msgpack.encode(boot), fds, say) == 78
    assert said[0][0] == "misconfigured"
    assert "NOT_SET_ANYWHERE" in said[0][1]


async def test_a_termination_ends_it_well_and_says_nothing(short_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    fds = {"listen": os.dup(listener.fileno())}
    listener.close()
    reported: list[tuple[str, str]] = []

    async def terminate_once_it_serves() -> None:
        client = await Client.connect(url, token=SESSION)
        await client.close()
        os.kill(os.getpid(), signal.SIGTERM)

    terminating = asyncio.ensure_future(terminate_once_it_serves())
    code = await main(
        boot_of(short_path, 1), fds, lambda cause, text: reported.append((cause, text))
    )
    await terminating
    assert (code, reported) == (EXIT_OK, [])
