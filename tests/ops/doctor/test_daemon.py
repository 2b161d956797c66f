"""The check of the gateway's port, with a program that has it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.doctor import daemon
from tests.support.doctor_facts import CONFIG, TOKEN, healthy
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as path:
        yield path


def test_a_daemon_with_a_service_is_started_and_restarted_by_that(place: Path) -> None:
    facts = healthy(place, status=None, silent="no supervisor is running")
    (found,) = daemon.running(facts)
    assert found.cure == "trunkline service start --user; trunkline service logs --user"
    (found,) = daemon.running(replace(facts, services=[]))
    assert str(found.cure).startswith("trunkline up --detach, or")
    (found,) = daemon.running(replace(facts, silent="the supervisor does not answer"))
    assert str(found.cure).startswith("trunkline service restart --user, or kill -9 ")
    (found,) = daemon.running(replace(facts, services=[], silent="it does not answer"))
    assert str(found.cure).startswith("kill -9 ")


def test_the_commands_for_a_service_name_its_scope(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    facts = healthy(place, version="9.9.9")
    row = facts.services[0] | {"scope": "system", "active": "inactive", "doubts": ["it is old"]}
    facts = replace(facts, services=[row | {"enabled": False}])
    found = [*daemon.version(facts), *daemon.service(facts)]
    assert [each.cure for each in found] == [
        "sudo trunkline service restart --system",
        "sudo trunkline service install --system --force",
        "sudo trunkline service start --system; sudo trunkline service logs --system",
        "sudo trunkline service install --system",
    ]


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
