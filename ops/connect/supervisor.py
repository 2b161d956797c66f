"""Connects to the supervisor of a state directory through its socket ``cli.sock``.

Without a supervisor the command fails at once, with exit code 3 and the command that starts one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ipc import timeouts
from ipc.endpoints import SocketPaths
from ipc.errors import ConnectionFailed, EndpointError, PeerGone, RemoteError
from ipc.websocket.client import Client
from ipc.websocket.inbox import OnEvent
from ops.connect.identity import client_description
from ops.exits import ExitCode, OperatorError
from runtime.config.places import Places

GONE = "the supervisor is gone; `trunkline doctor` finds out why"
ADVICE = "; `trunkline doctor` says what to do"
CONNECT_WITHIN = 5.0  # seconds; a supervisor that hangs must not hang the operator


@asynccontextmanager
async def connected_supervisor(
    places: Places, *, on_event: OnEvent | None = None, within: float = CONNECT_WITHIN
) -> AsyncIterator[Client]:
    """Connect to the supervisor of ``places``; close the connection at the end.

    Raises ``OperatorError``: exit 3 if there is no supervisor or it ends meanwhile, 4 if it
    does not answer ``within`` seconds, 1 if it refuses.
    """
    path = _socket_of(places)
    try:
        async with timeouts.timeout(within):
            client = await Client.connect(
                unix=path,
                client=client_description("cli", "cli"),
                caps=("channel-events",),
                timeout=2 * within,
                on_event=on_event,
            )
    except TimeoutError:
        raise OperatorError(
            f"the supervisor does not answer on {path} within {within:g} s{ADVICE}",
            ExitCode.TIMEOUT,
        ) from None
    except ConnectionFailed as error:
        raise _why_unreachable(places, path, error) from error
    except RemoteError as error:
        raise OperatorError(f"the supervisor refused: {error.message}") from error
    try:
        _must_be_ours(client, places)
        yield client
    except PeerGone as error:
        raise OperatorError(f"the supervisor ended: {error}", ExitCode.NOT_RUNNING) from error
    finally:
        await client.close()


async def call_supervisor(
    places: Places, method: str, params: dict[str, Any], *, timeout: float = 30.0
) -> Any:
    """Call one method of the supervisor of ``places`` and return its answer."""
    async with connected_supervisor(places) as client:
        return await client.call(method, params, timeout=timeout)


def _socket_of(places: Places) -> Path:
    """Return the path of a supervisor's socket. Raises ``OperatorError``."""
    sockets = SocketPaths(places.run_dir)
    try:
        sockets.require_ours()
    except EndpointError as error:
        raise OperatorError(str(error)) from None
    except OSError:  # there is no such directory
        raise not_running(places) from None
    if not sockets.cli.exists():
        raise not_running(places)
    return sockets.cli


def not_running(places: Places) -> OperatorError:
    """Return the error of a command that needs a supervisor."""
    user = os.environ.get("SUDO_USER", "root") if os.geteuid() == 0 else "root"
    hint = "" if user == "root" else f" (under sudo this is root's; that of {user} without sudo)"
    # Late: most commands find a supervisor.
    from ops.service.installed import start_command

    start = start_command(places)
    return OperatorError(
        f"no supervisor is running for {places.state_dir}{hint}; start it with `{start}`",
        ExitCode.NOT_RUNNING,
    )


def _must_be_ours(client: Client, places: Places) -> None:
    """Raise unless the supervisor is that of this state directory; an old one names none."""
    theirs = (client.hello.get("snapshot") or {}).get("stateDir")
    if theirs is not None and Path(theirs).resolve() != places.state_dir.resolve():
        raise OperatorError(
            f"no supervisor is running for {places.state_dir}: the one that answers in"
            f" {places.run_dir} is that of {theirs}; is TRUNKLINE_RUNTIME_DIR meant?",
            ExitCode.NOT_RUNNING,
        )


def _why_unreachable(places: Places, path: Path, error: ConnectionFailed) -> OperatorError:
    """Return the error for an unreachable socket: left by a dead supervisor, or not ours."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return not_running(places)
        except OSError as why:
            return OperatorError(f"{path}: {why.strerror}")
    return OperatorError(f"the supervisor refused: {error.reason}")
