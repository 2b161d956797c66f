"""The notifier says what sd_notify(3) describes, to a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.supervisor.systemd import Notifier
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """A service manager's end."""
    with ShortDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(place / "notify"))
        sock.setblocking(False)
        yield sock


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().splitlines()


def test_ready_names_the_main_process_and_the_status(manager: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": manager.getsockname()}).send_ready("2 of 2 accounts running")
    assert heard(manager) == [
        "READY=1",
        f"MAINPID={os.getpid()}",
        "STATUS=2 of 2 accounts running",
    ]


def test_the_same_status_is_said_once(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.send_status("1 of 2")
    notifier.send_status("1 of 2")
    notifier.send_status("2 of 2")
    assert heard(manager) == ["STATUS=1 of 2"]
    assert heard(manager) == ["STATUS=2 of 2"]


def test_signs_of_life_reload_and_the_end(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ping()
    notifier.send_reloading()
    notifier.send_stopping()
    assert heard(manager) == ["WATCHDOG=1"]
    assert heard(manager)[0] == "RELOADING=1"
    assert heard(manager) == ["STOPPING=1", "STATUS=stopping"]


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"trunkline-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.setblocking(False)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ping()
        assert heard(sock) == ["WATCHDOG=1"]


def test_without_a_service_manager_nothing_happens(tmp_path: Path) -> None:
    Notifier({}).send_ready("fine")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send_ready("fine")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdog_is_answered_twice_as_often_as_needed(
    environ: dict[str, str], seconds: float
) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/nowhere", **environ}).watchdog == seconds


def test_a_watchdog_without_a_socket_is_none() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog == 0.0
