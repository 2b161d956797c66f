"""Wrong frames, names and configurations sent to the real daemon: refused, and nothing harmed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import unix_connect

from ipc.errors import RemoteError
from ipc.frames.data import DataHello, Messages, encode
from ipc.identity.peer import PeerCredentials
from ipc.zeromq.dealer import Dealer
from tests.support.daemon import TOKEN, Daemon
from tests.support.rawclient import RawClient, connect_params
from tests.support.until import PATIENCE

pytestmark = pytest.mark.e2e

CONFIG: dict[str, Any] = {
    "channels": {"local": {"accounts": {"one": {}}}},
    "gateway": {"handshakeTimeoutMs": 1000},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all of this file: whatever one test sends it must not hurt the next."""
    daemon = Daemon(tmp_path_factory.mktemp("bad-input"), CONFIG)

    async def start() -> None:
        await daemon.start()
        await daemon.wait_phase("local:one", "running")

    try:
        asyncio.run(start())
        yield daemon
    finally:
        asyncio.run(daemon.__aexit__())


@pytest.fixture
def daemon(shared: Daemon) -> Iterator[Daemon]:
    """The daemon, which is unharmed after the test too."""
    before, tracebacks = asyncio.run(shared.status()), everything_said(shared).count("Traceback")
    yield shared
    after = asyncio.run(is_well(shared))
    assert pids(after) == pids(before)
    assert everything_said(shared).count("Traceback") == tracebacks


async def is_well(daemon: Daemon) -> dict[str, Any]:
    """Return the status once a good client got in, in spite of earlier failures."""
    client = await daemon.client()
    assert (await client.call("health"))["ok"] is True
    await client.close()
    return await daemon.status()


def everything_said(daemon: Daemon) -> str:
    """Return what was printed, and what all processes logged."""
    logs = sorted((daemon.directory / "state" / "logs").glob("*.log"))
    return "".join(path.read_text() for path in [daemon.output, *logs])


def pids(status: dict[str, Any]) -> dict[str, Any]:
    rows = {key: row["pid"] for key, row in status["accounts"].items()}
    return rows | {"gateway": status["gateway"]["pid"], "supervisor": status["supervisor"]["pid"]}


@asynccontextmanager
async def connected(daemon: Daemon) -> AsyncIterator[RawClient]:
    client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
    try:
        yield client
    finally:
        await client.close()


# -- the token ----------------------------------------------------------------------------


WRONG_AUTH: list[tuple[Any, str | None]] = [
    ({"token": "wrong"}, "AUTH_TOKEN_MISMATCH"),
    ({"token": TOKEN + " "}, "AUTH_TOKEN_MISMATCH"),
    ({"token": TOKEN[:-1]}, "AUTH_TOKEN_MISMATCH"),
    ({"token": "x" * 20_000}, "AUTH_TOKEN_MISMATCH"),
    ({"token": "\u00fc\u0000"}, "AUTH_TOKEN_MISMATCH"),
    ({"password": "wrong"}, "AUTH_TOKEN_MISMATCH"),
    ({"token": ""}, "DEVICE_IDENTITY_REQUIRED"),
    ({}, "DEVICE_IDENTITY_REQUIRED"),
    ({"token": 5}, None),
    ({"token": None}, None),
    ([], None),
]


async def test_a_wrong_token_is_refused(daemon: Daemon) -> None:
    for auth, code in WRONG_AUTH:
        async with connected(daemon) as client:
            answer = await client.call("connect", connect_params(None, auth=auth))
            assert answer["ok"] is False, auth
            assert answer["error"].get("details", {}).get("code") == code, auth
            assert TOKEN not in json.dumps(answer)
            assert (await client.closed())[0] == 1008, auth
        await is_well(daemon)


# -- frames -------------------------------------------------------------------------------

DEEP = '{"type":"req","id":"1","method":"health","params":' + "[" * 20_000 + "]" * 20_000 + "}"
HELLO: dict[str, Any] = {
    "type": "req",
    "id": "1",
    "method": "connect",
    "params": connect_params(TOKEN),
}


WRONG_FIRST: list[tuple[list[Any], int]] = [
    (["{"], 1000),  # what OpenClaw does with a first frame that is no JSON
    (["[]"], 1008),
    (["null"], 1008),
    (['{"type":"res","id":"1","ok":true}'], 1008),
    (['{"type":"req","id":1,"method":"connect"}'], 1008),
    ([b"\x00\x01\x02\xff"], 1000),
    (["x" * 65_537], 1009),
    ([DEEP], 1008),
    ([{"type": "req", "id": "1", "method": "health"}], 1008),  # too early
    ([{**HELLO, "params": {**HELLO["params"], "minProtocol": 9, "maxProtocol": 9}}], 1002),
    ([{**HELLO, "params": []}], 1008),
    ([{**HELLO, "params": {}}], 1008),
    ([], 1000),  # too late: nothing at all within the handshake's time
]


async def test_a_wrong_first_frame_ends_that_connection(daemon: Daemon) -> None:
    async def close_code(sent: list[Any]) -> int | None:
        async with connected(daemon) as client:
            for each in sent:
                await client.send(each)
            return (await client.closed())[0]

    codes = await asyncio.gather(*(close_code(sent) for sent, _ in WRONG_FIRST))
    for (sent, code), got in zip(WRONG_FIRST, codes, strict=True):
        assert got == code, sent


WRONG_LATER: list[tuple[Any, str]] = [
    ("{", "invalid request frame"),
    ("[]", "invalid request frame"),
    ("5", "invalid request frame"),
    (DEEP, "invalid request frame"),
    (b"\xff\xfe\x00", "invalid request frame"),
    ({"type": "req", "id": "", "method": "health"}, "/id"),
    ({"type": "req", "id": "x" * 257, "method": "health"}, "/id"),
    ({"type": "req", "id": "2", "method": "x" * 129}, "/method"),
    ({"type": "req", "id": "2", "method": "health", "bogus": 1}, "bogus"),
    ({"type": "req", "id": "2"}, "method"),
    ({"type": "event", "event": "tick"}, "invalid request frame"),
    ({"type": "req", "id": "2", "method": "no.such"}, "unknown method: no.such"),
    (HELLO, "connect is only valid as the first request"),
    ({"type": "req", "id": "2", "method": "send", "params": {}}, "invalid send params"),
    ({"type": "req", "id": "2", "method": "send", "params": []}, "invalid send params"),
    (
        {"type": "req", "id": "2", "method": "supervisor.result", "params": {"id": 1}},
        "unknown method",
    ),
    ({"type": "req", "id": "2", "method": "channels.report", "params": {}}, "unknown method"),
]


async def test_a_wrong_later_frame_is_answered(daemon: Daemon) -> None:
    for frame, words in WRONG_LATER:
        async with connected(daemon) as client:
            await client.hello(TOKEN)
            await client.send(frame)
            answer = await client.response()
            assert answer["ok"] is False, frame
            assert words in answer["error"]["message"], frame
            assert (await client.call("health"))["ok"] is True


NO_WEBSOCKET = [
    (b"\x81\xff" + (26_214_401).to_bytes(8, "big") + b"mask" + b"x" * 1000, 1009),
    (b"\x81\xff" + b"\xff" * 8 + b"mask", 1009),
    (b"\x81\x02{}", 1002),  # not masked
    (b"\x81\x82mask" + bytes(a ^ b for a, b in zip(b"\xc3\x28", b"ma", strict=True)), 1007),
    (b"\xf1\x82mask{}", 1002),  # reserved bits
    (b"\x83\x80mask", 1002),  # an opcode that does not exist
]


async def test_bytes_that_are_no_websocket_end_that_connection(daemon: Daemon) -> None:
    for raw, code in NO_WEBSOCKET:
        async with connected(daemon) as client:
            await client.hello(TOKEN)
            client.socket.transport.write(raw)
            assert (await client.closed())[0] == code, raw


async def test_malformed_frames_are_forgiven_only_for_a_while(daemon: Daemon) -> None:
    async with connected(daemon) as client:
        await client.hello(TOKEN)
        for _ in range(11):
            await client.send("{")
        assert await client.closed() == (1008, "repeated malformed frames")


async def test_frames_behind_a_refused_connect_are_not_carried_out(daemon: Daemon) -> None:
    async with connected(daemon) as client:
        params = {"channel": "local", "accountId": "one"}
        wrong = {**HELLO, "params": connect_params("wrong")}
        await client.send(wrong)
        await client.send({"type": "req", "id": "2", "method": "channels.stop", "params": params})
        assert (await client.response())["id"] == "1"
        assert (await client.closed())[0] == 1008


OTHER_PROTOCOLS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS
    b"\x00" * 20_000,
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
    b"GET /health HTTP/9.9\r\n\r\n",
    b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2p1\r\n",
]


async def test_other_protocols_on_the_port_are_refused(daemon: Daemon) -> None:
    for raw in OTHER_PROTOCOLS:
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        writer.write(raw)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        assert not answer or answer.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4")), answer


# -- the local socket ---------------------------------------------------------------------


WRONG_LOCAL: list[tuple[str, Any]] = [
    ("no.such", {}),
    ("logs.follow", []),
    ("logs.follow", {"accounts": 5}),
    ("logs.follow", {"accounts": [5]}),
    ("logs.follow", {"accounts": ["irc:nobody"]}),
    ("channels.logs", {"lines": -1}),
    ("channels.logs", {"lines": 10**30}),
    ("channels.logs", {"accounts": ["../../etc/passwd"]}),
    ("channels.stop", {}),
    ("channels.stop", {"accounts": "local:one"}),
    ("channels.stop", {"accounts": ["local:two"]}),
    ("channels.stop", {"accounts": ["local:one", "local:two"]}),
    ("channels.stop", ["local:one"]),
    ("channels.describe", {"account": None}),
    ("channels.describe", {"account": "x" * 100_000}),
    ("gateway.start", {"force": "yes"}),
    ("supervisor.status", {"bogus": 1}),
    ("config.patch", {"raw": "{", "baseHash": "x"}),
    ("config.patch", {"raw": "[" * 5000, "baseHash": "x"}),
    ("config.patch", {"raw": "[]", "baseHash": "x"}),
    ("config.patch", {"raw": "{}", "baseHash": "x"}),
    ("config.patch", {"raw": "{}"}),
    ("config.set", {"raw": "{", "baseHash": "x"}),
]


async def test_wrong_params_on_the_local_socket_are_answered(daemon: Daemon) -> None:
    client = await daemon.local()
    try:
        for method, params in WRONG_LOCAL:
            with pytest.raises(RemoteError) as refused:
                await client.call(method, params, timeout=5)
            assert refused.value.code == "INVALID_REQUEST", (method, params)
        assert (await client.call("version"))["pid"] == daemon.pid
    finally:
        await client.close()


async def test_wrong_frames_on_the_local_socket_are_answered(daemon: Daemon) -> None:
    socket = await unix_connect(str(daemon.run_dir / "cli.sock"), compression=None)
    client = RawClient(socket)
    await client.next()
    await client.hello("")
    for frame in ("{", "[]", "5", DEEP, b"\xff\x00", '{"type":"res","id":"1"}'):
        await client.send(frame)
        answer = await client.response()
        assert "invalid request frame" in answer["error"]["message"], frame
    assert (await client.call("version"))["ok"] is True
    await client.close()


# -- the workers' links -------------------------------------------------------------------


@pytest.mark.parametrize("link", ["control", "data"])
async def test_unauthenticated_connections_to_the_workers_links_change_nothing(
    daemon: Daemon, link: str
) -> None:
    row = (await daemon.status())["accounts"]["local:one"]
    names = [f"local:one#{row['incarnation'] - 1}", "local:one#x", "\u00fc", "x" * 200]
    hello = DataHello("local:one", row["incarnation"] - 1, "wrong", 0)
    bodies = [b"", b"\xc1", b"\xff" * 1000, b"\x91" * 5000, encode([hello])]
    bodies.append(encode([Messages(1, b"0", [b'{"account":"local:one"}'])]))
    for name in names:
        known = PeerCredentials(name, "0" * 64)
        dealer = Dealer(f"ipc://{daemon.run_dir}/{link}.ipc", known, lambda body: None)
        for body in bodies:
            assert dealer.send(body)
        await asyncio.to_thread(lambda: None)
        dealer.close()
    assert (await daemon.status())["accounts"]["local:one"]["phase"] == "running"
