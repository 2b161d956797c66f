"""One real daemon with an account of ``local`` and one of ``irc``, and the real OpenClaw.

Everything here runs only where the environment names the folder that ``install`` has filled.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.openclaw import VARIABLE, Openclaw
from tests.support.daemon import TOKEN, Daemon
from tests.support.irc_server import IrcServer, available, miniircd, ngircd

ROOM = "#interop"


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the packages of OpenClaw are."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no folder that tests/interop/install has filled")
    return Path(named)


@pytest.fixture(scope="module")
def irc_server(folder: Path) -> Iterator[IrcServer]:
    """A real server."""
    with ngircd() if available("ngircd") else miniircd() as server:
        yield server


@pytest.fixture(scope="module")
def daemon(irc_server: IrcServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon, up and with both of its accounts running."""
    libera = {"server": "127.0.0.1", "port": irc_server.port, "tls": False, "nick": "trunkbot"}
    config = {
        "channels": {
            "local": {"accounts": {"desk": {}}},
            "irc": {"accounts": {"libera": {**libera, "channels": [ROOM]}}},
        }
    }
    daemon = Daemon(tmp_path_factory.mktemp("interop"), config)

    async def start() -> None:
        await daemon.start()
        await daemon.wait_phase("local:desk", "running")
        await daemon.wait_phase("irc:libera", "running")

    try:
        asyncio.run(start())
        yield daemon
    finally:
        asyncio.run(daemon.__aexit__())


@pytest.fixture(scope="module")
def openclaw(folder: Path, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Openclaw:
    """The real command line, pointed at the daemon's gateway."""
    url = f"ws://127.0.0.1:{daemon.port}"
    made = Openclaw(folder, tmp_path_factory.mktemp("openclaw"), url, TOKEN)
    made.configure()
    return made
