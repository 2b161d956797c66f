from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runtime.supervisor.gateways import port as ports
from runtime.supervisor.gateways.port import (
    BACKLOG,
    Holder,
    NoSuchAddress,
    PortTaken,
    address,
    end,
    holders_of,
    listen,
    listening,
    users_of,
)

STRANGER = """
import signal, socket, sys
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
sock = socket.create_server(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


SUPERVISOR = f"""
import subprocess, sys
from pathlib import Path
from runtime.supervisor.instance import Instance
with Instance(Path(sys.argv[1])):
    if "below" in sys.argv:
        subprocess.run([sys.executable, "-c", {STRANGER!r}])
    else:
        exec({STRANGER!r})
"""


class Stranger:
    """Another program that listens on ``port``."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STRANGER, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @classmethod
    @contextlib.contextmanager
    def of(cls, state: Path, *, below: bool) -> Iterator[Stranger]:
        """Another supervisor, that listens itself or has a child that does."""
        found = cls.__new__(cls)
        found.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, str(state), *(["below"] if below else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert found.process.stdout is not None
        found.port = int(found.process.stdout.readline())
        try:
            yield found
        finally:
            found.process.communicate()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    found = Stranger()
    yield found
    found.close()


def test_the_words_of_the_configuration_are_addresses() -> None:
    words = ("loopback", "auto", "lan", "10.0.0.7", "::1")
    assert [address(word) for word in words] == [
        "127.0.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.7",
        "::1",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_clients_wait_in_the_backlog_before_anybody_accepts(host: str) -> None:
    sock = listen(host, 0)
    with sock, contextlib.ExitStack() as clients:
        for _ in range(200):
            clients.enter_context(socket.create_connection(sock.getsockname()[:2], 1.0))
        assert not sock.getblocking()
        assert not sock.get_inheritable()
    assert BACKLOG >= 2048


def test_the_port_of_a_stopped_gateway_can_be_used_again_at_once() -> None:
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    server, _ = first.accept()
    server.close()  # leaves TIME_WAIT on this port
    first.close()
    client.close()
    listen("127.0.0.1", port).close()


def test_a_taken_port_is_reported_with_the_program_that_has_it(stranger: Stranger) -> None:
    with pytest.raises(PortTaken) as caught:
        listen("127.0.0.1", stranger.port)
    (holder,) = caught.value.holders
    assert holder.pid == stranger.process.pid
    assert holder.command.startswith(sys.executable)
    assert f"port {stranger.port} on 127.0.0.1 is in use by pid {holder.pid}" in str(caught.value)
    assert "--force" in str(caught.value)
    assert stranger.process.poll() is None


def test_force_ends_the_program_that_has_the_port(stranger: Stranger) -> None:
    sock = listen("127.0.0.1", stranger.port, force=True)
    with sock:
        assert sock.getsockname()[1] == stranger.port
    assert stranger.process.wait() == -signal.SIGTERM


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("below", [False, True], ids=["itself", "child"])
def test_another_trunkline_is_named_by_its_state_and_spared(
    tmp_path: Path, below: bool, force: bool
) -> None:
    state = tmp_path / "the other's"
    with Stranger.of(state, below=below) as other:
        with pytest.raises(PortTaken) as caught:
            listen("127.0.0.1", other.port, force=force)
        said = str(caught.value)
        assert f"is in use by the Trunkline of {state} (pid " in said
        assert f"`trunkline --state-dir {shlex.quote(str(state))} down`" in said
        assert "--force" not in said
        assert other.process.poll() is None
        socket.create_connection(("127.0.0.1", other.port), 1.0).close()


def test_force_kills_a_program_that_ignores_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "FORCE_WITHIN", 0.1)
    deaf = Stranger("deaf")
    listen("127.0.0.1", deaf.port, force=True).close()
    assert deaf.process.wait() == -signal.SIGKILL
    deaf.close()


def test_a_port_of_our_own_is_not_freed_by_force() -> None:
    with listen("127.0.0.1", 0) as ours:
        port = ours.getsockname()[1]
        with pytest.raises(PortTaken, match="a program of this user that hides its files") as found:
            listen("127.0.0.1", port, force=True)
        assert "--force" not in str(found.value)  # it has no effect on what is not seen


def test_a_holder_that_ends_while_we_look_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    held = listen("127.0.0.1", 0)

    def gone(port: int) -> list[Holder]:
        held.close()
        return []

    monkeypatch.setattr(ports, "holders_of", gone)
    port = held.getsockname()[1]
    listen("127.0.0.1", port).close()


def test_an_address_of_another_host_is_named_in_the_error() -> None:
    with pytest.raises(NoSuchAddress, match=r"cannot listen on 192\.0\.2\.1 port 18789: .*bind"):
        listen("192.0.2.1", 18789)


def test_an_unreadable_proc_only_costs_the_name(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(kind: str) -> None:
        raise RuntimeError("/proc/net/tcp")

    monkeypatch.setattr(psutil, "net_connections", hidden)
    assert holders_of(stranger.port) == []
    with pytest.raises(PortTaken, match="a program of this user that hides its files"):
        listen("127.0.0.1", stranger.port)


def test_a_program_of_another_user_is_told_from_one_that_hides(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert users_of(stranger.port) == {os.geteuid()}
    monkeypatch.setattr(ports, "holders_of", lambda port: [])
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(PortTaken, match=r"a program of another user; .*--force"):
        listen("127.0.0.1", stranger.port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_listens_is_seen_with_its_user(host: str) -> None:
    with listen(host, 0) as sock:
        assert (sock.getsockname()[1], os.geteuid()) in listening()


def test_a_socket_without_a_visible_owner_has_no_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        real = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr[1] == port]
        hidden = [c._replace(pid=None) for c in real]
        monkeypatch.setattr(psutil, "net_connections", lambda kind: hidden)
        assert hidden
        assert holders_of(port) == []


def test_ending_spares_those_that_are_gone_or_of_other_users(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    send = signal.pidfd_send_signal

    def forbidden(fd: int, number: int) -> None:
        raise PermissionError(1, "not yours")

    monkeypatch.setattr(signal, "pidfd_send_signal", forbidden)
    before = os.listdir("/proc/self/fd")
    end([Holder(gone.pid, "true"), Holder(stranger.process.pid, "python")])
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert stranger.process.poll() is None
    monkeypatch.setattr(signal, "pidfd_send_signal", send)


def test_a_process_that_dies_of_the_last_signal_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "FORCE_WITHIN", 0.0)
    deaf = Stranger("deaf")
    send = signal.pidfd_send_signal

    def too_late(fd: int, number: int) -> None:
        if number == signal.SIGKILL:
            send(fd, number)
            raise ProcessLookupError
        send(fd, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", too_late)
    end([Holder(deaf.process.pid, "python")])
    assert deaf.process.wait() == -signal.SIGKILL
    deaf.close()
