"""Opens the gateway's listening socket in the supervisor, so that it outlives every gateway.

Clients that come while a gateway restarts wait in the backlog instead of being refused.
A port that another program holds is reported with that program's name, and taken by force only if
the operator asks for it; never from another Trunkline, whose supervisor would restart its gateway
each time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import socket
from pathlib import Path
from typing import Any

import msgspec

from runtime.supervisor.instance import state_dir_of
from runtime.supervisor.processes.termination import end_all

BACKLOG = 2048  # clients of one outage wait here; the kernel caps it at net.core.somaxconn
MAX_COMMAND = 200  # characters of a stranger's command line
FORCE_WITHIN = 5.0
LISTENING = "0A"  # TCP_LISTEN, as /proc/net/tcp writes it


class Holder(msgspec.Struct, frozen=True):
    """A program that listens on a port; ``state_dir`` is that of its supervisor, if it has one."""

    pid: int
    command: str
    state_dir: str | None = None

    def __str__(self) -> str:
        if self.state_dir is not None:
            return f"the Trunkline of {self.state_dir} (pid {self.pid})"
        return f"pid {self.pid} ({self.command})"


class PortUnusable(Exception):
    """The gateway cannot listen on its port; the text says why and what to do."""


class NoSuchAddress(PortUnusable):
    """The address is not one of this host, or the port is reserved."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host} port {port}: {error.strerror}; "
            "change gateway.bind or gateway.port in the configuration"
        )


class PortTaken(PortUnusable):
    """The port is in use; ``holders`` are the programs, as far as this user may see them."""

    def __init__(self, host: str, port: int, holders: list[Holder]) -> None:
        who = "; ".join(str(held) for held in holders)
        others = dict.fromkeys(held.state_dir for held in holders if held.state_dir is not None)
        cure = "stop it, choose another port with --port, or end it with --force"
        if others:
            stop = "; ".join(f"trunkline --state-dir {shlex.quote(each)} down" for each in others)
            cure = f"stop it with `{stop}`, or choose another port with --port"
        elif not who and os.geteuid() in users_of(port):  # nor can --force end what is not seen
            who = "a program of this user that hides its files, as another Trunkline does"
            cure = "stop it (`trunkline down` with its state directory), or choose another port"
        super().__init__(
            f"port {port} on {host} is in use by {who or 'a program of another user'}; {cure}"
        )
        self.host = host
        self.port = port
        self.holders = holders

    def by_a_gateway(self) -> PortTaken:
        """Return the error for a port that a gateway holds, to which we could attach."""
        self.args = (f'{self}; it is a gateway: gateway.attach: "auto" connects to it instead',)
        return self


def address(bind: str) -> str:
    """Return the IP address for ``bind``: a word like ``loopback``, or an address."""
    return {"loopback": "127.0.0.1", "auto": "127.0.0.1", "lan": "0.0.0.0"}.get(bind, bind)  # noqa: S104


def url_of(host: str, port: int) -> str:
    """Return the URL at which this host reaches a server that listens on ``host``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}"


def listen(host: str, port: int, *, force: bool = False) -> socket.socket:
    """Return a listening TCP socket; port 0 lets the kernel choose.

    Raises ``PortUnusable``. With ``force`` the programs that hold the port are ended first
    (SIGTERM, after 5 s SIGKILL), which blocks as long; never those of another Trunkline.
    """
    sock = _bind(host, port)
    if sock is not None:
        return sock
    holders = holders_of(port)
    if holders and (not force or any(held.state_dir is not None for held in holders)):
        raise PortTaken(host, port, holders)
    end(holders)
    sock = _bind(host, port)  # without a holder to be seen: it may have ended just now
    if sock is None:
        raise PortTaken(host, port, holders_of(port))
    return sock


def _bind(host: str, port: int) -> socket.socket | None:
    """Return a listening socket; ``None`` if the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise NoSuchAddress(host, port, error) from None
    return sock


def holders_of(port: int) -> list[Holder]:
    """Return the programs that listen on ``port``, as far as this user may see them."""
    import psutil  # 10 ms that no start need wait for

    try:
        connections = psutil.net_connections(kind="tcp")
    except Exception:  # noqa: BLE001 - a name for the operator, from a /proc that may be hidden
        return []
    found: dict[int, Holder] = {}
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or tuple(connection.laddr)[1:2] != (port,):
            continue
        if connection.pid is None or connection.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(connection.pid)
            command = _on_one_line(process.cmdline()) or process.name()
            found[connection.pid] = Holder(connection.pid, command, _supervised(process))
    return list(found.values())


def _supervised(process: Any) -> str | None:
    """Return the state directory of another supervisor that ``process`` is, or runs below."""
    for each in (process, *process.parents()):
        if each.pid == os.getpid():
            return None
        if (state := state_dir_of(each.pid)) is not None:
            return str(state)
    return None


def users_of(port: int) -> set[int]:
    """Return the ids of the users whose programs listen on ``port`` (proc_pid_net(5)).

    The kernel shows the user of every socket, but the program only of processes that we may
    inspect.
    """
    return {uid for listened, uid in listening() if listened == port}


def listening() -> set[tuple[int, int]]:
    """Return each TCP port of this host on which a program listens, with its user's id."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    found.add((int(fields[1].rpartition(":")[2], 16), int(fields[7])))
    return found


def _on_one_line(arguments: list[str]) -> str:
    """Return a command on one short line: its arguments may be long, or hold escape sequences."""
    words = " ".join(" ".join(arguments).split())
    shown = "".join(char for char in words if char.isprintable())
    return shown if len(shown) <= MAX_COMMAND else f"{shown[: MAX_COMMAND - 1]}…"


def end(holders: list[Holder]) -> None:
    """End programs: SIGTERM, then SIGKILL after 5 s. Blocks.

    A program of another user is left alone.
    """
    with contextlib.ExitStack() as opened:
        pidfds = []
        for holder in holders:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                pidfds.append(os.pidfd_open(holder.pid))
                opened.callback(os.close, pidfds[-1])
        end_all(pidfds, FORCE_WITHIN)
