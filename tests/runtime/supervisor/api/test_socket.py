"""Frames over ``cli.sock``: introductions, requests, events, a socket that is taken away."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import structlog
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import ConnectionClosed

from ipc.errors import ConnectionFailed, RemoteError
from ipc.websocket.client import Client
from ipc.websocket.connection import Connection
from runtime.supervisor.api.socket import LocalServer, access, limits
from runtime.supervisor.parts import Parts
from tests.support.parts_rig import PartsRig
from tests.support.short_directory import ShortDirectory
from tests.support.until import until


class SocketRig:
    """A server of ``cli.sock`` whose requests are carried out as a test says."""

    def __init__(self, directory: Path) -> None:
        self.rig = PartsRig(directory)
        self.path = self.rig.parts.endpoints.cli
        self.answer: Callable[[str, Any], Any] = lambda name, params: {name: params}
        self.asked: list[str] = []
        self.server = LocalServer(self.rig.parts, self._carry_out)

    async def _carry_out(self, parts: Parts, name: str, params: Any, by: str) -> Any:
        self.asked.append(name)
        self.by = by
        result = self.answer(name, params)
        return await result if asyncio.iscoroutine(result) else result

    async def client(self, **kwargs: Any) -> Client:
        return await Client.connect(unix=self.path, **kwargs)


@asynccontextmanager
async def serving() -> AsyncIterator[SocketRig]:
    with ShortDirectory() as directory:
        rig = SocketRig(directory)
        rig.path.parent.mkdir()
        await rig.server.start()
        try:
            yield rig
        finally:
            await rig.server.close()
            rig.rig.close()
            assert not rig.path.exists()


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


CALL = '{"type":"req","id":"2","method":"channels.list","params":{}}'
CONNECT = '{"type":"req","id":"1","method":"connect","params":{}}'


async def test_the_socket_is_for_its_owner_alone() -> None:
    async with serving() as rig:
        assert stat.S_IMODE(rig.path.stat().st_mode) == 0o600
        client = await rig.client()
        assert client.hello["server"]["version"] == "1.2"
        assert "channels.stop" in client.hello["features"]["methods"]
        assert "logs.follow" in client.hello["features"]["methods"]
        await client.close()


async def test_a_stale_socket_is_replaced() -> None:
    async with serving() as rig:
        rig.path.unlink()
        rig.path.touch()
        second = SocketRig(rig.path.parent.parent)
        await second.server.start()
        client = await second.client()
        assert await client.call("x", {"y": 1}) == {"x": {"y": 1}}
        await client.close()
        await second.server.close()
        second.rig.close()


async def test_a_slow_request_delays_no_other() -> None:
    async with serving() as rig:
        go = asyncio.Event()
        rig.answer = lambda name, params: go.wait() if name == "slow" else name
        client = await rig.client()
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

    async with serving() as rig:
        client = await rig.client()
        rig.answer = refuse
        with pytest.raises(RemoteError, match="INVALID_REQUEST: unknown account"):
            await client.call("x")
        rig.answer = fail
        failed = pytest.raises(RemoteError, match="UNAVAILABLE: x failed; see the supervisor")
        with structlog.testing.capture_logs() as logs, failed:
            await client.call("x")
        assert logs[0]["event"] == "request failed"
        rig.answer = lambda name, params: object()  # nothing that could be sent
        with structlog.testing.capture_logs(), pytest.raises(RemoteError, match="x failed"):
            await client.call("x")
        rig.answer = lambda name, params: "fine"
        assert await client.call("x") == "fine"
        await client.close()


async def test_a_client_that_does_not_connect_is_closed() -> None:
    async with serving() as rig:
        challenge, refusal, end = await raw(rig.path, '{"type":"req","id":"7","method":"version"}')
        assert "connect.challenge" in challenge
        assert '"id":"7","ok":false' in refusal
        assert end == "1008 invalid handshake: first request must be connect"


@pytest.mark.parametrize(
    ("files", "strangers"), [(1_048_576, 256), (1024, 256), (512, 128), (3, 1)]
)
def test_connections_before_their_introduction_are_few(files: int, strangers: int) -> None:
    """One more file than there are, and ZeroMQ would end the daemon."""
    found = limits(files)
    assert found.unproven == strangers
    assert found.files == max(1, files - 8)


async def test_whoever_only_connects_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.supervisor.api.socket.MOST_STRANGERS", 4)
    async with serving() as rig:
        operator = await rig.client()

        def ends() -> int:
            found = psutil.Process().net_connections("unix")
            return sum(str(each.laddr) == str(rig.path) for each in found)

        before = ends()  # of the operator, and what listens
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stranger = stack.enter_context(socket.socket(socket.AF_UNIX))
                stranger.connect(str(rig.path))
            await until(lambda: ends() == before + 4)
            another = await rig.client()
            assert await another.call("x") == {"x": {}}
            await another.close()
        assert await operator.call("x") == {"x": {}}
        await operator.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "invalid request frame"),
        ('{"type":"req","id":"2"}', "invalid request frame"),
        ('{"type":"req","id":"2","method":"x","params":{"a":1e999}}', '"id":"2","ok":false'),
    ],
)
async def test_nonsense_is_answered_and_the_connection_stays(text: str, said: str) -> None:
    async with serving() as rig:
        rig.answer = lambda name, params: "still here"
        answers = await raw(rig.path, CONNECT, text, '{"type":"req","id":"9","method":"y"}')
        assert said in answers[2]
        assert "still here" in answers[3]
        assert answers[-1].startswith("None")


async def test_events_go_to_connected_clients_only() -> None:
    async with serving() as rig:
        rig.server.broadcast("gateway.status", {"phase": "running"})  # to nobody
        client = await rig.client()
        stranger = await unix_connect(str(rig.path), "ws://localhost/").__aenter__()
        await stranger.recv()
        rig.server.broadcast("gateway.status", {"phase": "running"})
        event = await anext(aiter(client.events()))
        assert event.event == "gateway.status"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stranger.recv()
        await stranger.close()
        await client.close()


async def test_what_is_no_json_is_not_sent_and_costs_nothing() -> None:
    async with serving() as rig:
        client = await rig.client()
        await client.call("logs.follow", {})
        rig.server.log_line("supervisor", {"text": "half a surrogate: \ud800"})
        rig.server.broadcast("channel.status", {"x": object()})
        rig.server.log_line("supervisor", {"text": "next"})
        event = await anext(aiter(client.events()))
        assert b"next" in bytes(event.payload)  # type: ignore[arg-type]
        assert rig.server.unsent == 2
        await client.close()


async def test_log_lines_go_to_the_followers_of_that_log() -> None:
    async with serving() as rig:
        one, everything, nothing = [await rig.client() for _ in range(3)]
        assert await one.call("logs.follow", {"accounts": ["gateway"]}) == {
            "following": ["gateway"]
        }
        assert await everything.call("logs.follow", {}) == {"following": "*"}
        with pytest.raises(RemoteError, match="unknown account"):
            await nothing.call("logs.follow", {"accounts": ["irc:nobody"]})
        with pytest.raises(RemoteError, match="invalid logs\\.follow params"):
            await nothing.call("logs.follow", ["irc"])
        for name in ("supervisor", "gateway"):
            rig.server.log_line(name, {"text": name})
        rig.server.broadcast("shutdown", {})
        texts = []
        for client in (one, everything, nothing):
            events = aiter(client.events())
            said: list[str] = []
            while not said or said[-1] != "shutdown":
                event = await anext(events)
                said.append(event.event if event.event != "log" else str(event.payload))
            texts.append(len(said) - 1)
            await events.aclose()  # type: ignore[attr-defined]  # else a task of the loop does it
            await client.close()
        assert texts == [1, 2, 0]


async def test_a_socket_that_was_cleaned_away_comes_back() -> None:
    async with serving() as rig:
        old = await rig.client()
        await rig.server.ensure()
        rig.path.unlink()
        rig.path.parent.rmdir()
        with structlog.testing.capture_logs() as logs:
            await rig.server.ensure()
            await rig.server.ensure()
        assert [line["event"] for line in logs] == ["the socket was removed from outside"]
        assert rig.path.exists()
        new = await rig.client()
        assert [await each.call("x", {}) for each in (old, new)] == [{"x": {}}, {"x": {}}]
        rig.server.broadcast("shutdown", {})
        for client in (old, new):
            assert (await anext(aiter(client.events()))).event == "shutdown"
        await old.close()
        first = rig.server._servers[0]  # which server it was shows nowhere else
        os.unlink(rig.path)
        await rig.server.ensure()  # the first server has nobody left: it is let go
        await new.close()
        assert rig.path.exists()  # the old server's end did not take the new file
        assert len(rig.server._servers) == 2
        assert first not in rig.server._servers
        assert first._ping_timer.cancelled()


async def test_a_socket_that_cannot_come_back_is_tried_again() -> None:
    async with serving() as rig:
        rig.path.unlink()
        rig.path.parent.rmdir()
        rig.path.parent.touch()  # a file where the directory was
        with structlog.testing.capture_logs() as logs:
            await rig.server.ensure()
        assert logs[-1]["event"] == "no socket for the command line"
        rig.path.parent.unlink()
        with structlog.testing.capture_logs():
            await rig.server.ensure()
        await (await rig.client()).close()


async def test_nothing_is_ensured_before_the_start_or_after_the_end() -> None:
    with ShortDirectory() as directory:
        rig = SocketRig(directory)
        await rig.server.ensure()
        assert not rig.path.exists()
        await rig.server.close()
        rig.rig.close()


async def test_at_the_end_pending_requests_are_answered_and_all_clients_are_notified() -> None:
    async with serving() as rig:
        rig.answer = lambda name, params: asyncio.sleep(0.05, "done")
        client = await rig.client()
        late = asyncio.create_task(client.call("late"))
        await until(lambda: rig.server._tasks)  # the request has begun
        await rig.server.close()
        assert await late == "done"
        assert await client.closed == (1001, "supervisor stopped")
        await client.close()
        with pytest.raises(ConnectionFailed):
            await rig.client()


async def test_a_request_that_does_not_end_is_cut_off() -> None:
    async with serving() as rig:
        rig.answer = lambda name, params: asyncio.sleep(3600)
        client = await rig.client()
        late = asyncio.create_task(client.call("late"))
        await until(lambda: rig.server._tasks)  # the request has begun
        await rig.server.close()
        await asyncio.wait([late])
        assert late.exception() is not None
        await client.close()


async def test_the_gateways_secret_is_told_as_the_daemon_runs_with_it() -> None:
    async with serving() as rig:
        client = await rig.client()
        found = await client.call("gateway.access")
        gateway = rig.rig.parts.gateway
        assert found == access(gateway.url, rig.rig.configuration.config.gateway)
        assert (found["token"], found["certificate"]) == ("t", None)
        await client.close()


async def test_what_a_child_of_ours_started_is_refused_with_a_reason() -> None:
    async with serving() as rig:
        rig.rig.launcher.starter = 4711
        with (
            structlog.testing.capture_logs() as logs,
            pytest.raises(RemoteError, match="was started by a process of this daemon"),
        ):
            await rig.client()
        assert logs[0]["event"] == "an operator was refused"
        assert logs[0]["pid"] == os.getpid()
        assert await raw(rig.path, CONNECT, CALL) != []
        assert not rig.asked
        rig.rig.launcher.starter = None
        await (await rig.client()).close()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EMFILE, "no files left to inspect"),
        (errno.ENFILE, "no files left to inspect"),
        (errno.ESRCH, "has ended or cannot be inspected"),
    ],
)
async def test_a_peer_that_cannot_be_inspected_is_told_whose_fault_that_is(
    monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    def fail(connection: Connection) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Connection, "open_peer", fail)
    async with serving() as rig:
        with pytest.raises(RemoteError, match=text):
            await rig.client()


def connect_in_a_child(sock: socket.socket, path: Path) -> None:
    pid = os.fork()
    if not pid:
        sock.connect(str(path))
        os._exit(0)
    os.waitpid(pid, 0)


async def test_one_that_has_ended_since_it_connected_is_refused() -> None:
    """A child's socket lives on with its parent: the pid at the other end is nobody's any more."""
    async with serving() as rig:
        kept = socket.socket(socket.AF_UNIX)
        connect_in_a_child(kept, rig.path)
        async with connect("ws://localhost/", compression=None, proxy=None, sock=kept) as peer:
            await peer.recv()
            await peer.send(CONNECT)
            answer = str(await peer.recv())
        assert "FORBIDDEN" in answer
        assert "has ended" in answer
