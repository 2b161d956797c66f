from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

from ipc.errors import ConnectionFailed, RemoteError
from ipc.websocket.client import Client
from runtime.config.places import Flags, resolve
from runtime.supervisor.api.socket import LocalServer
from tests.support.players import short_directory
from tests.support.until import until


class Office:
    """A supervisor as far as ``cli.sock`` is concerned."""

    version = "1.2"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places = resolve({}, Flags(state_dir=path.parent))
        self.accounts: dict[str, Any] = {}
        self.answer: Callable[[str, Any], Any] = lambda name, params: {name: params}
        self.server = LocalServer(path, self)  # type: ignore[arg-type]

    async def dispatch(self, name: str, params: Any) -> Any:
        result = self.answer(name, params)
        return await result if asyncio.iscoroutine(result) else result

    async def client(self, **kwargs: Any) -> Client:
        return await Client.connect(unix=self.path, **kwargs)


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    with short_directory() as directory:
        found = Office(directory / "run" / "cli.sock")
        found.path.parent.mkdir()
        await found.server.start()
        try:
            yield found
        finally:
            await found.server.close()
            assert not found.path.exists()


async def raw(path: Path, *texts: str) -> list[str]:
    """Say texts without an introduction; return what is answered until the end or a pause."""
    found = []
    async with unix_connect(str(path), "ws://localhost/", compression=None) as connection:
        for text in texts:
            await connection.send(text)
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(0.5):
                while True:
                    found.append(str(await connection.recv()))
        found.append(f"{connection.close_code} {connection.close_reason}")
    return found


CONNECT = '{"type":"req","id":"1","method":"connect","params":{}}'


async def test_the_socket_is_for_its_owner_alone() -> None:
    async with office() as at:
        assert stat.S_IMODE(at.path.stat().st_mode) == 0o600
        client = await at.client()
        assert client.hello["server"]["version"] == "1.2"
        assert "channels.stop" in client.hello["features"]["methods"]
        assert "logs.follow" in client.hello["features"]["methods"]
        await client.close()


async def test_a_stale_socket_is_replaced() -> None:
    async with office() as at:
        at.path.unlink()
        at.path.touch()
        second = Office(at.path)
        await second.server.start()
        client = await second.client()
        assert await client.call("x", {"y": 1}) == {"x": {"y": 1}}
        await client.close()
        await second.server.close()


async def test_a_slow_request_delays_no_other() -> None:
    async with office() as at:
        go = asyncio.Event()
        at.answer = lambda name, params: go.wait() if name == "slow" else name
        client = await at.client()
        slow = asyncio.create_task(client.call("slow", {}))
        assert await client.call("fast", {}) == "fast"
        go.set()
        assert await slow is True
        await client.close()


async def test_a_refusal_keeps_its_code_and_a_fault_is_logged() -> None:
    def refuse(name: str, params: Any) -> Any:
        raise RemoteError("INVALID_REQUEST", "unknown account")

    def fail(name: str, params: Any) -> Any:
        raise KeyError("a bug")

    async with office() as at:
        client = await at.client()
        at.answer = refuse
        with pytest.raises(RemoteError, match="INVALID_REQUEST: unknown account"):
            await client.call("x")
        at.answer = fail
        failed = pytest.raises(RemoteError, match="UNAVAILABLE: x failed; see the supervisor")
        with structlog.testing.capture_logs() as logs, failed:
            await client.call("x")
        assert logs[0]["event"] == "request failed"
        at.answer = lambda name, params: object()  # nothing that could be sent
        with structlog.testing.capture_logs(), pytest.raises(RemoteError, match="x failed"):
            await client.call("x")
        at.answer = lambda name, params: "fine"
        assert await client.call("x") == "fine"
        await client.close()


async def test_who_does_not_introduce_itself_is_closed() -> None:
    async with office() as at:
        challenge, refusal, end = await raw(at.path, '{"type":"req","id":"7","method":"version"}')
        assert "connect.challenge" in challenge
        assert '"id":"7","ok":false' in refusal
        assert end == "1008 invalid handshake: first request must be connect"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "invalid request frame"),
        ('{"type":"req","id":"2"}', "invalid request frame"),
        ('{"type":"req","id":"2","method":"x","params":{"a":1e999}}', '"id":"2","ok":false'),
    ],
)
async def test_nonsense_is_answered_and_the_connection_stays(text: str, said: str) -> None:
    async with office() as at:
        at.answer = lambda name, params: "still here"
        answers = await raw(at.path, CONNECT, text, '{"type":"req","id":"9","method":"y"}')
        assert said in answers[2]
        assert "still here" in answers[3]
        assert answers[-1].startswith("None")


async def test_events_go_to_those_who_have_introduced_themselves() -> None:
    async with office() as at:
        at.server.broadcast("gateway.status", {"phase": "running"})  # to nobody
        client = await at.client()
        stranger = await unix_connect(str(at.path), "ws://localhost/").__aenter__()
        await stranger.recv()
        at.server.broadcast("gateway.status", {"phase": "running"})
        event = await anext(aiter(client.events()))
        assert event.event == "gateway.status"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stranger.recv()
        await stranger.close()
        await client.close()


async def test_what_is_no_json_is_not_sent_and_costs_nothing() -> None:
    async with office() as at:
        client = await at.client()
        await client.call("logs.follow", {})
        at.server.log_line("supervisor", {"text": "half a surrogate: \ud800"})
        at.server.broadcast("channel.status", {"x": object()})
        at.server.log_line("supervisor", {"text": "next"})
        event = await anext(aiter(client.events()))
        assert b"next" in bytes(event.payload)  # type: ignore[arg-type]
        assert at.server.unsent == 2
        await client.close()


async def test_log_lines_go_to_those_who_follow_that_log() -> None:
    async with office() as at:
        one, everything, nothing = [await at.client() for _ in range(3)]
        assert await one.call("logs.follow", {"accounts": ["gateway"]}) == {
            "following": ["gateway"]
        }
        assert await everything.call("logs.follow", {}) == {"following": "*"}
        with pytest.raises(RemoteError, match="unknown account"):
            await nothing.call("logs.follow", {"accounts": ["irc:nobody"]})
        with pytest.raises(RemoteError, match="invalid logs\\.follow params"):
            await nothing.call("logs.follow", ["irc"])
        for name in ("supervisor", "gateway"):
            at.server.log_line(name, {"text": name})
        at.server.broadcast("shutdown", {})
        texts = []
        for client in (one, everything, nothing):
            events = aiter(client.events())
            said: list[str] = []
            while not said or said[-1] != "shutdown":
                event = await anext(events)
                said.append(event.event if event.event != "log" else str(event.payload))
            texts.append(len(said) - 1)
            await client.close()
        assert texts == [1, 2, 0]


async def test_a_socket_that_was_cleaned_away_comes_back() -> None:
    async with office() as at:
        old = await at.client()
        await at.server.ensure()
        at.path.unlink()
        at.path.parent.rmdir()
        with structlog.testing.capture_logs() as logs:
            await at.server.ensure()
            await at.server.ensure()
        assert [line["event"] for line in logs] == ["the socket was removed from outside"]
        assert at.path.exists()
        new = await at.client()
        assert [await each.call("x", {}) for each in (old, new)] == [{"x": {}}, {"x": {}}]
        at.server.broadcast("shutdown", {})
        for client in (old, new):
            assert (await anext(aiter(client.events()))).event == "shutdown"
        await old.close()
        first = at.server._servers[0]
        os.unlink(at.path)
        await at.server.ensure()  # the first server has nobody left: it is let go
        await new.close()
        assert at.path.exists()  # the old server's end did not take the new file
        assert len(at.server._servers) == 2
        assert first not in at.server._servers
        assert first._ping_timer.cancelled()


async def test_a_socket_that_cannot_come_back_is_tried_again() -> None:
    async with office() as at:
        at.path.unlink()
        at.path.parent.rmdir()
        at.path.parent.touch()  # a file where the directory was
        with structlog.testing.capture_logs() as logs:
            await at.server.ensure()
        assert logs[-1]["event"] == "no socket for the command line"
        at.path.parent.unlink()
        with structlog.testing.capture_logs():
            await at.server.ensure()
        await (await at.client()).close()


async def test_nothing_is_ensured_before_the_start_or_after_the_end() -> None:
    with short_directory() as directory:
        at = Office(directory / "cli.sock")
        await at.server.ensure()
        assert not at.path.exists()
        await at.server.close()


async def test_at_the_end_running_requests_are_answered_and_everybody_is_told() -> None:
    async with office() as at:
        at.answer = lambda name, params: asyncio.sleep(0.05, "done")
        client = await at.client()
        late = asyncio.create_task(client.call("late"))
        await until(lambda: at.server._tasks)
        await at.server.close()
        assert await late == "done"
        assert await client.closed == (1001, "supervisor stopped")
        await client.close()
        with pytest.raises(ConnectionFailed):
            await at.client()


async def test_a_request_that_does_not_end_is_cut_off() -> None:
    async with office() as at:
        at.answer = lambda name, params: asyncio.sleep(3600)
        client = await at.client()
        late = asyncio.create_task(client.call("late"))
        await until(lambda: at.server._tasks)
        await at.server.close()
        await asyncio.wait([late])
        assert late.exception() is not None
        await client.close()
