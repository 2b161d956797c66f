"""A fake supervisor or gateway on a real socket, which answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed

from ipc.frames.status import AccountStatus, GatewayStatus, Hold, Status, SupervisorStatus
from runtime.config.gateway_model import GatewayConfig
from runtime.config.load import load
from runtime.supervisor.api.socket import access

NOW = 1_790_000_000_000
Answer = Any


class Refusal(Exception):
    """An answer that is an error of the protocol."""

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class FakeServer:
    """Answers methods from a table, records requests, and sends events."""

    def __init__(self, methods: dict[str, Answer] | None = None, *, token: str | None = None):
        self.methods: dict[str, Answer] = {"events.subscribe": {"ok": True}} | (methods or {})
        self.token = token
        self.hangs = False
        self.asked: list[tuple[str, Any]] = []
        self.hellos: list[dict[str, Any]] = []
        self.people: list[ServerConnection] = []
        self._news = asyncio.Condition()
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        """The URL of the fake gateway."""
        return f"ws://127.0.0.1:{self.port}"

    async def at(self, path: Path) -> None:
        """Serve on a unix socket."""
        self._server = await unix_serve(self._met, str(path), ping_interval=None)

    async def on_tcp(self, port: int = 0) -> None:
        """Serve on a port, by default a free one."""
        self._server = await serve(self._met, "127.0.0.1", port, ping_interval=None)

    async def close(self) -> None:
        """Close all connections at once, as a killed process does."""
        assert self._server is not None
        for person in list(self.people):
            person.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def tell(self, event: str, payload: Any) -> None:
        """Send an event to all clients."""
        text = msgspec.json.encode({"type": "event", "event": event, "payload": payload})
        for person in list(self.people):
            await person.send(text.decode())

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until the requests satisfy ``true``."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(true)

    async def asked_for(self, method: str, times: int = 1) -> None:
        """Wait until ``method`` was called."""
        await self.until(lambda: [name for name, _ in self.asked].count(method) >= times)

    async def _met(self, connection: ServerConnection) -> None:
        if self.hangs:
            await connection.wait_closed()
            return
        await _send(connection, type="event", event="connect.challenge", payload={"nonce": "n"})
        try:
            async for text in connection:
                await self._take(connection, msgspec.json.decode(text))
        except ConnectionClosed:
            pass
        finally:
            if connection in self.people:
                self.people.remove(connection)

    async def _take(self, connection: ServerConnection, request: dict[str, Any]) -> None:
        method, params = request["method"], request.get("params")
        answer: dict[str, Any] = {"type": "res", "id": request["id"]}
        try:
            answer |= {"ok": True, "payload": await self._answer(connection, method, params)}
        except Refusal as error:
            told = {"code": error.code, "message": str(error), "details": error.details}
            answer |= {"ok": False, "error": {name: each for name, each in told.items() if each}}
        await _send(connection, **answer)
        if method == "connect" and answer["ok"]:
            self.people.append(connection)
        async with self._news:
            self.asked.append((method, params))
            self._news.notify_all()

    async def _answer(self, connection: ServerConnection, method: str, params: Any) -> Any:
        if method == "connect":
            self.hellos.append(params)
            if self.token is not None and params.get("auth", {}).get("token") != self.token:
                raise Refusal("INVALID_REQUEST", "unauthorized: gateway token mismatch")
            hello = {"type": "hello-ok", "protocol": 4, "server": {"version": "9"}}
            return hello | {"features": {"methods": list(self.methods)}}
        if method not in self.methods:
            raise Refusal("INVALID_REQUEST", f"unknown method: {method}")
        found = self.methods[method]
        if callable(found):
            found = found(params)
        if asyncio.iscoroutine(found):
            found = await found
        if isinstance(found, Refusal):
            raise found
        return found


async def _send(connection: ServerConnection, **frame: Any) -> None:
    await connection.send(msgspec.json.encode(frame).decode())


def account(key: str, **fields: Any) -> dict[str, Any]:
    """Return a status row; the defaults are those of a running account."""
    channel, _, name = key.partition(":")
    row = AccountStatus(
        account=key,
        channel=channel,
        account_id=name,
        phase="running",
        wanted=True,
        pid=4711,
        incarnation=3,
        ready_at=NOW,
        started_at=NOW - 120,
        rss_bytes=7 * 2**20,
        cpu_percent=1.5,
        messages_in=12,
        messages_out=5,
        health="ok",
    )
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain | fields


BACKOFF = {
    "phase": "backoff",
    "pid": None,
    "readyAt": None,
    "failures": 2,
    "lastExit": "exited (signal 9)",
    "lastError": "exited (signal 9)",
    "health": None,
}
HELD = {
    "phase": "stopped",
    "cause": "held",
    "wanted": False,
    "pid": None,
    "readyAt": None,
    "hold": msgspec.to_builtins(Hold(at=NOW, reason="moving house")),
    "health": None,
}


def status(*accounts: dict[str, Any], **gateway: Any) -> dict[str, Any]:
    """Return the answer of ``supervisor.status``."""
    whole = Status(
        supervisor=SupervisorStatus(
            pid=99,
            version="1.2.3",
            boot=4,
            started_at=NOW,
            state_dir="/state",
            config_path="/config",
            config_revision="r",
        ),
        gateway=GatewayStatus(
            phase="running", pid=100, port=1, url="ws://127.0.0.1:1", connected=True
        ),
        accounts=[],
    )
    plain: dict[str, Any] = msgspec.to_builtins(whole)
    plain["gateway"] |= gateway
    plain["accounts"] = list(accounts)
    return plain


@asynccontextmanager
async def fake_supervisor(home: Path, **methods: Answer) -> AsyncIterator[FakeServer]:
    """Serve ``cli.sock`` for the runtime whose state and sockets are in ``home``.

    A method's name is written with ``__`` for its dot.
    """
    named = {name.replace("__", "."): answer for name, answer in methods.items()}
    server = FakeServer({"supervisor.status": status(account("local:demo"))} | named)
    server.methods.setdefault("gateway.access", lambda _: _access(server, home))
    await server.at(home / "cli.sock")
    try:
        yield server
    finally:
        await server.close()


def _access(server: FakeServer, home: Path) -> dict[str, Any]:
    """Return where the gateway is by the fake status, with the secrets of the file in ``home``."""
    file = home / "trunkline.json5"
    config = load(file).config.gateway if file.exists() else GatewayConfig()
    return access(server.methods["supervisor.status"]["gateway"]["url"], config)


@asynccontextmanager
async def fake_gateway(token: str = "secret", **methods: Answer) -> AsyncIterator[FakeServer]:
    """Serve a gateway on a free port of this host."""
    named = {name.replace("__", "."): answer for name, answer in methods.items()}
    server = FakeServer(named, token=token)
    await server.on_tcp()
    try:
        yield server
    finally:
        await server.close()
