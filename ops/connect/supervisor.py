"""How a command reaches the supervisor (``cli.sock``) or a gateway (a URL).

Both speak the same frames through the same client; what differs is how their absence is
told: no supervisor is exit code 3, at once, with the command that starts one.
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ipc.errors import ConnectionFailed, PeerGone
from ipc.identity.trust import trusting
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import ReconnectingClient, Subscription
from ops.connect.address import Gateway
from ops.connect.identity import own_version
from ops.exits import Exit, OperatorError

if TYPE_CHECKING:
    from ipc.frames.websocket import Event
    from runtime.config.places import Places

# Of OpenClaw, whose gateway does not say it: what may be asked twice.
READ_ONLY = (
    "agents.list",
    "channels.status",
    "config.get",
    "device.pair.list",
    "health",
    "logs.tail",
    "node.list",
    "node.pair.list",
    "status",
    "system-presence",
)
PATIENCE = 60.0  # seconds; OpenClaw's gateway is away for 16 when it restarts
CONNECT_WITHIN = 5.0  # seconds; a supervisor that hangs must not hang the operator
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def cli_socket(places: Places) -> Path:
    """Return the path of the supervisor's socket."""
    from ipc.endpoints import SocketPaths

    return SocketPaths(places.run_dir).cli


@asynccontextmanager
async def supervisor(
    places: Places,
    *,
    on_event: Callable[[Event], None] | None = None,
    within: float = CONNECT_WITHIN,
) -> AsyncIterator[Client]:
    """Connect to the supervisor of ``places``; exit 3 without one, 4 when it does not answer."""
    path = cli_socket(places)
    if not path.exists():
        raise not_running(places)
    try:
        async with asyncio.timeout(within):
            client = await Client.connect(
                unix=path,
                client=_identity("cli", "cli"),
                caps=("channel-events",),
                timeout=2 * within,
                on_event=on_event,
            )
    except TimeoutError:
        raise OperatorError(
            f"the supervisor does not answer on {path} within {within:g} s", Exit.TIMEOUT
        ) from None
    except ConnectionFailed as error:
        raise _why_unreachable(places, path, error) from error
    try:
        _must_be_ours(client, places)
        yield client
    except PeerGone as error:
        raise OperatorError(f"the supervisor ended: {error}", Exit.NOT_RUNNING) from error
    finally:
        await client.close()


def not_running(places: Places) -> OperatorError:
    """Return the error of a command that needs a supervisor."""
    return OperatorError(
        f"no supervisor is running for {places.state_dir}; start it with `trunkline up`",
        Exit.NOT_RUNNING,
    )


def _must_be_ours(client: Client, places: Places) -> None:
    """Raise when the supervisor is that of another state directory; an old one does not say."""
    theirs = (client.hello.get("snapshot") or {}).get("stateDir")
    if theirs is not None and Path(theirs).resolve() != places.state_dir.resolve():
        raise OperatorError(
            f"no supervisor is running for {places.state_dir}: the one that answers in"
            f" {places.run_dir} is that of {theirs}; is TRUNKLINE_RUNTIME_DIR meant?",
            Exit.NOT_RUNNING,
        )


def _why_unreachable(places: Places, path: Path, error: ConnectionFailed) -> OperatorError:
    """Tell a socket that a dead supervisor left from one that we may not use."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return not_running(places)
        except OSError as why:
            return OperatorError(f"{path}: {why.strerror}")
    return OperatorError(f"the supervisor refused: {error.reason}")


@asynccontextmanager
async def gateway(
    target: Gateway,
    *,
    timeout: float = 10.0,
    on_event: Callable[[Event], None] | None = None,
    patience: float = PATIENCE,
) -> AsyncIterator[ReconnectingClient]:
    """Connect to a gateway; exit 3 when nothing answers there.

    ``on_event`` gets our own events too. The client stays over restarts; it ends when the
    gateway was away for ``patience`` seconds.
    """
    client = ReconnectingClient(
        target.url,
        token=target.token,
        password=target.password,
        client=_identity("gateway-client", "backend"),
        timeout=2 * timeout,
        on_event=on_event,
        subscribe=Subscription() if on_event else None,
        safe=READ_ONLY,
        patience=patience,
        tls=None if target.certificate is None else trusting(target.certificate),
    )
    try:
        async with asyncio.timeout(timeout):
            await client.open()
    except TimeoutError:
        raise OperatorError(
            f"the gateway at {target.url} does not answer within {timeout:g} s", Exit.TIMEOUT
        ) from None
    except ConnectionFailed as error:
        if not error.retryable:
            raise
        raise OperatorError(
            f"no gateway answers at {target.url}: {error.reason}", Exit.NOT_RUNNING
        ) from error
    try:
        yield client
    finally:
        await client.close()


def _identity(id: str, mode: str) -> dict[str, Any]:
    return {
        "id": id,
        "version": own_version(),
        "platform": platform.system().lower(),
        "mode": mode,
        "displayName": "trunkline",
    }
