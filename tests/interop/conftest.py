"""One real daemon with an account of ``local`` and one of ``irc``, and the real OpenClaw.

Everything here runs only where the environment names the folder that ``tests/install-openclaw``
has filled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.openclaw import VARIABLE, Openclaw, lacking
from tests.support.daemon import TOKEN, Daemon
from tests.support.irc_server import IrcServer, available, miniircd, ngircd

ROOM = "#interop"


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the packages of OpenClaw are."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names no folder that tests/install-openclaw has filled")
    if missing := lacking(Path(named)):
        pytest.fail(f"{named} lacks {', '.join(missing)}: run tests/install-openclaw {named}")
    return Path(named)


@pytest.fixture(scope="module")
def irc_server(folder: Path) -> Iterator[IrcServer]:
    """A real server."""
    with ngircd() if available("ngircd") else miniircd() as server:
        yield server


@contextlib.contextmanager
def running(server: IrcServer, directory: Path) -> Iterator[Daemon]:
    """Run the daemon, with both of its accounts."""
    libera = {"server": "127.0.0.1", "port": server.port, "tls": False, "nick": "trunkbot"}
    config = {
        "channels": {
            "local": {"accounts": {"desk": {}}},
            "irc": {"accounts": {"libera": {**libera, "channels": [ROOM]}}},
        }
    }
    daemon = Daemon(directory, config)

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
def daemon(irc_server: IrcServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a whole file: for tests that leave every process of it as it was."""
    with running(irc_server, tmp_path_factory.mktemp("daemon")) as daemon:
        yield daemon


@pytest.fixture
def own_daemon(irc_server: IrcServer, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon for one test, whose gateway may be restarted."""
    with running(irc_server, tmp_path) as daemon:
        yield daemon


def commands(folder: Path, daemon: Daemon, home: Path) -> Openclaw:
    """Return the real command line, pointed at the daemon's gateway."""
    made = Openclaw(folder, home, f"ws://127.0.0.1:{daemon.port}", TOKEN)
    made.configure()
    return made


@pytest.fixture(scope="module")
def openclaw(folder: Path, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Openclaw:
    """The real command line for the file's daemon."""
    return commands(folder, daemon, tmp_path_factory.mktemp("openclaw"))


@pytest.fixture
def own_openclaw(
    folder: Path, own_daemon: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Openclaw:
    """The real command line for the test's own daemon."""
    return commands(folder, own_daemon, tmp_path_factory.mktemp("openclaw"))
