"""The check of the gateway's port, with a program that has it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.doctor import daemon
from tests.support.doctor_facts import CONFIG, TOKEN, healthy
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as path:
        yield path


def test_a_program_that_has_the_port_is_named_while_no_daemon_runs(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = CONFIG | {"gateway": {"port": port, "auth": {"token": TOKEN}}}
        (found,) = daemon.port(healthy(place, config, status=None, silent="no supervisor"))
        assert f"port {port} on 127.0.0.1 is in use" in found.message
        assert list(daemon.port(healthy(place, config))) == []  # it may be the daemon's
    assert list(daemon.port(healthy(place, config, status=None))) == []
