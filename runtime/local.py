"""``cli.sock``: the same frames as everywhere, for this host's operator, without the gateway.

A unix socket of mode 0600 in the 0700 run directory; the kernel says who is at the other
end (SO_PEERCRED), so there is no token. A slow request never delays another: each is a task.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from ipc import frames
from ipc.errors import FrameError, RemoteError
from ipc.frames import ErrorShape
from ipc.wsserver import Connection, Server

if TYPE_CHECKING:
    from runtime.supervisor import Supervisor

PROTOCOL = 4
EVENTS = ("channel.status", "channel.removed", "gateway.status", "log", "shutdown")

log = structlog.get_logger("local")


class Follower:
    """What one connection has said about itself. ``logs`` names those it follows, or all."""

    def __init__(self) -> None:
        self.connected = False
        self.follows = False
        self.logs: frozenset[str] | None = None


class LocalServer:
    """Serves the supervisor's table of methods, and tells everybody about changes."""

    def __init__(self, path: Path, supervisor: Supervisor) -> None:
        self._path = path
        self._supervisor = supervisor
        self._server: Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Serve; a socket file that a dead supervisor left is replaced."""
        self._server = await Server.start(
            self._path,
            on_connect=self._on_connect,
            on_text=self._on_text,
            on_close=lambda connection: None,
        )

    async def close(self) -> None:
        """Let running requests end, close every connection, and remove the socket."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            await self._server.close(1001, "supervisor stopped")
            self._server = None

    def broadcast(self, name: str, payload: Any) -> None:
        """Send an event to every connection that has introduced itself."""
        if self._server is None or not self._server.connections:
            return
        frame = frames.event(name, payload)
        for connection in self._server.connections:
            if connection.data is not None and connection.data.connected:
                connection.send(frame)

    def log_line(self, name: str, line: dict[str, Any]) -> None:
        """Send a log line to those who follow that log."""
        if self._server is None or not self._server.connections:
            return
        for connection in self._server.connections:
            follower = connection.data
            if follower is None or not follower.follows:
                continue
            if follower.logs is None or name in follower.logs:
                connection.send(frames.event("log", line))

    def _on_connect(self, connection: Connection) -> None:
        connection.data = Follower()
        challenge = {"nonce": secrets.token_hex(16), "ts": int(time.time() * 1000)}
        connection.send(frames.event("connect.challenge", challenge))

    def _on_text(self, connection: Connection, data: bytes) -> None:
        try:
            request = frames.decode_request(data)
        except FrameError as error:
            refusal = ErrorShape("INVALID_REQUEST", f"invalid request frame: {error.reason}")
            connection.send(frames.error_response(error.id or "invalid", refusal))
            return
        params = msgspec.json.decode(request.params) if request.params else {}
        if request.method == "connect":
            self._connect(connection, request.id)
        elif not connection.data.connected:
            refusal = ErrorShape(
                "INVALID_REQUEST", "invalid handshake: first request must be connect"
            )
            connection.send(frames.error_response(request.id, refusal))
            connection.close(1008, refusal.message)
        elif request.method == "logs.follow":
            self._follow(connection, request.id, params)
        else:
            task = asyncio.create_task(self._answer(connection, request, params))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _connect(self, connection: Connection, id: str) -> None:
        from runtime.commands import METHODS

        connection.data.connected = True
        connection.admit(frames.MAX_FRAME_BYTES)
        hello = {
            "type": "hello-ok",
            "protocol": PROTOCOL,
            "server": {"version": self._supervisor.version, "connId": secrets.token_hex(8)},
            "features": {"methods": [*METHODS, "logs.follow"], "events": list(EVENTS)},
            "snapshot": {},
            "auth": {"method": "peer", "role": "operator", "scopes": ["operator.admin"]},
            "policy": {"maxPayload": frames.MAX_FRAME_BYTES},
        }
        connection.send(frames.response(id, hello))

    def _follow(self, connection: Connection, id: str, params: Any) -> None:
        from runtime.commands import Follow, log_names, params_of

        try:
            accounts = params_of("logs.follow", Follow, params).accounts
            names = log_names(self._supervisor, accounts)
        except RemoteError as error:
            shape = ErrorShape(error.code, error.message)
            connection.send(frames.error_response(id, shape))
            return
        connection.data.logs = None if names is None else frozenset(names)
        connection.data.follows = True
        connection.send(frames.response(id, {"following": names or "*"}))

    async def _answer(self, connection: Connection, request: frames.Request, params: Any) -> None:
        try:
            result = await self._supervisor.dispatch(request.method, params)
            answer = frames.response(request.id, result)
        except RemoteError as error:
            shape = ErrorShape(error.code, error.message)
            answer = frames.error_response(request.id, shape)
        except Exception:
            log.exception("request failed", method=request.method)
            shape = ErrorShape("UNAVAILABLE", f"{request.method} failed; see the supervisor's log")
            answer = frames.error_response(request.id, shape)
        connection.send(answer)
