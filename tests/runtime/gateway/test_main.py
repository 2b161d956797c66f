"""The gateway's process: its exit codes and what it reports before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest

from ipc.errors import IpcError
from ipc.frames.words import EXIT_OK
from ipc.websocket.client import Client
from runtime.gateway.journal.database import Database
from runtime.gateway.main import main
from tests.support.gateway_rig import SESSION, boot_of, row


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


@pytest.mark.parametrize("killed", [False, True])
async def test_a_journal_of_a_newer_version_ends_it_as_misconfigured(
    tmp_path: Path, short_path: Path, killed: bool
) -> None:
    """At once, or when the first account needs it: one that was killed has it in its log alone."""
    database = Database(tmp_path / "journal.db")
    database.connection.execute("PRAGMA user_version=99")
    if not killed:
        database.close()
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    fds = {"listen": os.dup(listener.fileno())}
    listener.close()
    reported: list[tuple[str, str]] = []
    boot = msgspec.msgpack.decode(boot_of(short_path, 1)) | {"state_dir": str(tmp_path)}

    async def report_an_account() -> None:
        client = await Client.connect(url, token=SESSION)
        accounts = {"irc:libera": row("irc:libera", journal="on")}
        with contextlib.suppress(IpcError):
            await client.call("channels.report", {"accounts": accounts})
        await client.close()

    reporting = asyncio.ensure_future(report_an_account()) if killed else None
    said = reported.append
    code = await main(msgspec.msgpack.encode(boot), fds, lambda cause, text: said((cause, text)))
    if reporting is not None:
        await reporting
        database.close()
    assert code == 78
    assert reported[0][0] == "misconfigured"
    assert "has version 99, and this Trunkline knows" in reported[0][1]


async def test_a_named_pipe_in_the_place_of_the_journal_does_not_hold_up_the_start(
    tmp_path: Path, short_path: Path
) -> None:
    os.mkfifo(tmp_path / "journal.db")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    fds = {"listen": os.dup(listener.fileno())}
    listener.close()
    boot = msgspec.msgpack.decode(boot_of(short_path, 1)) | {"state_dir": str(tmp_path)}

    async def end_once_it_serves() -> None:
        client = await Client.connect(url, token=SESSION)
        await client.close()
        os.kill(os.getpid(), signal.SIGTERM)

    ending = asyncio.ensure_future(end_once_it_serves())
    code = await main(msgspec.msgpack.encode(boot), fds, lambda cause, text: None)
    await ending
    assert code == EXIT_OK
