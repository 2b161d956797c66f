"""Serves ``cli.sock``: the WebSocket protocol for this host's operator, without the gateway.

It is a unix socket of mode 0600 in the run directory of mode 0700; the kernel identifies the peer
(SO_PEERCRED), so there is no token. Code in an account runs as the same user, so processes that
descend from one of our children are refused. Each request is a task, so a slow one delays no other.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ipc.errors import FrameError, RemoteError
from ipc.frames import websocket
from ipc.frames.requests import Key, Params
from ipc.frames.websocket import ErrorShape
from ipc.frames.words import FORBIDDEN, INVALID_REQUEST, UNAVAILABLE
from ipc.nesting import MALFORMED, decode_json
from ipc.socket_files import SocketIdentity, identity
from ipc.users import user_name
from ipc.websocket.connection import Connection
from ipc.websocket.demux import Limits
from ipc.websocket.server import Server
from runtime.config.gateway_model import GatewayConfig
from runtime.supervisor.api.logs import log_names
from runtime.supervisor.api.table import METHODS, convert, dispatch
from runtime.supervisor.parts import Parts
from runtime.supervisor.processes.descent import has_ended
from runtime.supervisor.processes.process import file_limit

CarryOut = Callable[[Parts, str, Any, str], Awaitable[Any]]


async def dispatch_here(parts: Parts, name: str, raw: Any, by: str) -> Any:
    """Carry out a request of this host's operator, which is never remote."""
    return await dispatch(parts, name, raw, remote=False, by=by)


PROTOCOL = 4
MOST_STRANGERS = 256  # connections before their ``connect``, and at most a quarter of the files
KEPT_FREE = 8  # files that none of these takes: without one for a worker's link ZeroMQ aborts us
GONE = "the connecting process has ended or cannot be inspected: connect again"
NO_FILES = "the supervisor has no files left to inspect the connecting process: raise its limit"
STARTED = "this process was started by {} of this daemon, which may not operate it"
EVENTS = (
    "channel.status",
    "channel.removed",
    "agent.status",
    "agent.removed",
    "gateway.status",
    "log",
    "shutdown",
)

log = structlog.get_logger("local")


class FollowParams(Params):
    """The params of ``logs.follow``; ``accounts`` as in ``LinesParams``."""

    accounts: list[Key] = []


class Follower:
    """The state of one connection. ``logs`` names the logs that it follows, ``None``: all."""

    def __init__(self) -> None:
        self.connected = False
        self.follows = False
        self.logs: frozenset[str] | None = None

    def follows_log(self, name: str) -> bool:
        """Return whether lines of this log are to be sent."""
        return self.follows and (self.logs is None or name in self.logs)


class LocalServer:
    """Answers requests by the table of methods, and broadcasts changes."""

    def __init__(self, parts: Parts, carry_out: CarryOut = dispatch_here) -> None:
        self._path: Path = parts.endpoints.cli
        self._parts = parts
        self._carry_out = carry_out
        self._servers: list[Server] = []  # the last one has the socket file
        self._file: SocketIdentity | None = None  # of the last server
        self._tasks: set[asyncio.Task[None]] = set()
        self.unsent = 0  # events that are no JSON

    async def start(self) -> None:
        """Start serving; replace the socket file of a dead supervisor."""
        self._servers.append(
            await Server.start(
                self._path,
                on_connect=self._on_connect,
                on_text=self._on_text,
                on_close=lambda connection: None,
                limits=limits(file_limit()),
            )
        )
        self._file = identity(self._path)

    async def ensure(self) -> None:
        """Recreate the socket file if it is gone: cleaners of /tmp and logouts remove it.

        Open connections stay. If the socket cannot be created, the next call tries again.
        """
        if not self._servers or identity(self._path) == self._file:
            return
        log.warning("the socket was removed from outside", path=str(self._path))
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self.start()
        except OSError as error:
            log.error("no socket for the command line", path=str(self._path), error=str(error))
            return
        *old, new = self._servers
        old[-1].stop_accepting()
        self._servers = [*(one for one in old if one.connections), new]
        for unused in old:
            if not unused.connections:
                await unused.close(1001, "supervisor stopped")

    async def close(self) -> None:
        """Wait a second for running requests, close every connection, and remove the socket."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        servers, self._servers = self._servers, []
        for server in servers:
            await server.close(1001, "supervisor stopped")

    def broadcast(self, name: str, payload: Any) -> None:
        """Send an event to every connection that has sent ``connect``."""
        self._send(name, payload, lambda person: person.connected)

    def log_line(self, name: str, line: dict[str, Any]) -> None:
        """Send a line of the log ``name`` to the connections that follow it."""
        self._send("log", line, lambda person: person.follows_log(name))

    def _send(self, name: str, payload: Any, to: Callable[[Follower], bool]) -> None:
        chosen = [
            connection
            for server in self._servers
            for connection in server.connections
            if connection.data is not None and to(connection.data)
        ]
        if not chosen:
            return
        try:
            frame = websocket.event(name, payload)
        except (TypeError, ValueError):  # no JSON; not logged: it may be a line of the log
            self.unsent += 1
            return
        for connection in chosen:
            connection.send(frame)

    def _on_connect(self, connection: Connection) -> None:
        connection.data = Follower()
        challenge = {"nonce": secrets.token_hex(16), "ts": int(time.time() * 1000)}
        connection.send(websocket.event("connect.challenge", challenge))

    def _on_text(self, connection: Connection, data: bytes) -> None:
        try:
            request = websocket.decode_request(data)
            params = _params(request)
        except FrameError as error:
            _refuse(connection, error.id or "invalid", f"invalid request frame: {error.reason}")
            return
        if request.method == "connect":
            self._connect(connection, request.id)
        elif not connection.data.connected:
            text = "invalid handshake: first request must be connect"
            _refuse(connection, request.id, text)
            connection.close(1008, text)
        else:
            task = asyncio.create_task(self._answer(connection, request, params))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _refusal(self, connection: Connection) -> str | None:
        """Return why the peer process may not operate this daemon; ``None`` if it may."""
        pid = connection.peer_pid
        if not pid:  # not below us: it is outside of this container
            return None
        try:
            peer = connection.open_peer()
            try:
                starter = self._parts.launcher.starter_of(pid)
                if has_ended(peer):  # and so what has been read may be another process's
                    return GONE
            finally:
                os.close(peer)
        except OSError as error:
            return NO_FILES if error.errno in (errno.EMFILE, errno.ENFILE) else GONE
        return None if starter is None else STARTED.format(self._name_of(starter))

    def _name_of(self, pid: int) -> str:
        for key, worker in self._parts.roster.workers.items():
            process = worker.child.process
            if process is not None and process.pid == pid:
                return f"the {'agent' if worker.spec.is_agent else 'account'} {key}"
        return "a process"

    def _connect(self, connection: Connection, id: str) -> None:
        if (why := self._refusal(connection)) is not None:
            log.warning("an operator was refused", pid=connection.peer_pid, why=why)
            connection.send(websocket.error_response(id, ErrorShape(FORBIDDEN, why)))
            connection.close(1008, "not an operator")
            return
        connection.data.connected = True
        connection.admit(websocket.MAX_FRAME_BYTES)
        hello = {
            "type": "hello-ok",
            "protocol": PROTOCOL,
            "server": {"version": self._parts.about.version, "connId": secrets.token_hex(8)},
            "features": {
                "methods": [*METHODS, "gateway.access", "logs.follow"],
                "events": list(EVENTS),
            },
            "snapshot": {"stateDir": str(self._parts.places.state_dir)},
            "auth": {"method": "peer", "role": "operator", "scopes": ["operator.admin"]},
            "policy": {"maxPayload": websocket.MAX_FRAME_BYTES},
        }
        connection.send(websocket.response(id, hello))

    def _follow(self, connection: Connection, params: Any) -> Any:
        wanted = convert("logs.follow", FollowParams, params)
        names = log_names(self._parts.roster.workers, wanted.accounts)
        connection.data.logs = None if names is None else frozenset(names)
        connection.data.follows = True
        return {"following": names or "*"}

    def _access(self) -> Any:
        return access(self._parts.gateway.url, self._parts.configuration.config.gateway)

    async def _answer(
        self, connection: Connection, request: websocket.Request, params: Any
    ) -> None:
        try:
            if request.method == "logs.follow":
                result = self._follow(connection, params)
            elif request.method == "gateway.access":  # not for the gateway, which asks too
                result = self._access()
            else:
                by = _person_at(connection)
                result = await self._carry_out(self._parts, request.method, params, by)
            answer = websocket.response(request.id, result)
        except RemoteError as error:
            shape = websocket.shape_of(error)
            answer = websocket.error_response(request.id, shape)
        except Exception:
            log.exception("request failed", method=request.method)
            shape = ErrorShape(UNAVAILABLE, f"{request.method} failed; see the supervisor's log")
            answer = websocket.error_response(request.id, shape)
        connection.send(answer)


def limits(files: int) -> Limits:
    """Return the limits of the socket for a process that may open ``files``."""
    unproven = min(MOST_STRANGERS, max(1, files // 4))
    return Limits(unproven=unproven, files=max(1, files - KEPT_FREE))


def _person_at(connection: Connection) -> str:
    """Describe the peer for the history, by the user that the kernel reports."""
    uid = connection.peer_uid
    return "the command line" if uid is None else f"the command line, user {user_name(uid)}"


def _params(request: websocket.Request) -> Any:
    """Decode the params as plain data; raises ``FrameError`` for invalid JSON."""
    if not isinstance(request.params, msgspec.Raw):
        return {}
    try:
        return decode_json(request.params)
    except MALFORMED as error:
        raise FrameError(f"params: {error}", id=request.id) from None


def _refuse(connection: Connection, id: str | int, text: str) -> None:
    connection.send(websocket.error_response(id, ErrorShape(INVALID_REQUEST, text)))


def access(url: str, config: GatewayConfig) -> dict[str, Any]:
    """Return how this host's operator connects to the gateway: address, secrets, certificate.

    These are the daemon's values, not the file's. They are sent only over ``cli.sock``, to our own
    user, who may read the configuration anyway. References to secrets stay references: the command
    line resolves them.
    """
    return {
        "url": url,
        "token": msgspec.to_builtins(config.auth.token),
        "password": msgspec.to_builtins(config.auth.password),
        "certificate": config.tls.cert_path if config.tls.enabled else None,
    }
