"""Floods and clients that do not read cost the gateway little, and nobody else their answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from tests.support import bad_agent
from tests.support.agent_packages import install_kind
from tests.support.daemon import TOKEN, Daemon
from tests.support.person import Person, talking
from tests.support.rawclient import RawClient
from tests.support.until import PATIENCE

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1 << 20
MORE_MIB = 64
SECONDS = 4.0  # that each kind of abuse lasts
STREAMS = 20
CLIENTS = 32
DEAF = 8
CUT = "trunkline_slow_clients_total"
SLOW = 'trunkline_api_requests_total{outcome="slow"}'
HOOK_TOKEN = "hook-token-0123456789"
CONFIG: dict[str, Any] = {
    "agents": {
        "default": "main",
        "maxConcurrent": 100,
        "entries": {
            "main": {"kind": "echo"},
            "flood": {"kind": bad_agent.KIND, "fault": "floods"},
            "words": {"kind": bad_agent.KIND, "fault": "floods_words"},
            "faces": {"kind": bad_agent.KIND, "fault": "floods_faces"},
        },
    },
    "channels": {"local": {"accounts": {"one": {}}}},
    "hooks": {"enabled": True, "token": HOOK_TOKEN},
    "gateway": {
        "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
        "limits": {"bufferedBytes": MIB},  # what one client may leave unread
    },
}

Abuse = Callable[[Daemon], Awaitable[Counter[int]]]


def request(daemon: Daemon, path: str, token: str, body: Any) -> bytes:
    """Return a request as it goes over the wire."""
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{daemon.port}\r\nAuthorization: Bearer {token}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def asked_again_and_again(daemon: Daemon, data: bytes, clients: int) -> Counter[int]:
    """Send a request as fast as it is answered, on so many connections; return the statuses."""
    found: Counter[int] = Counter()
    ends = time.monotonic() + SECONDS

    async def one() -> None:
        while time.monotonic() < ends:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
                try:
                    while time.monotonic() < ends:
                        writer.write(data)
                        head = (await reader.readuntil(b"\r\n\r\n")).lower()
                        found[int(head.split(b" ")[1])] += 1
                        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                        await reader.readexactly(length)
                        if b"connection: close" in head:
                            break
                finally:
                    writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(clients)))
    return found


async def wrong_hooks(daemon: Daemon) -> Counter[int]:
    data = request(daemon, "/hooks/wake", "wrong", {"text": "x"})
    return await asked_again_and_again(daemon, data, CLIENTS)


async def large_prompts(daemon: Daemon) -> Counter[int]:
    body = {"model": "openclaw", "messages": [{"role": "user", "content": "x" * MIB}]}
    data = request(daemon, "/v1/chat/completions", TOKEN, body)
    return await asked_again_and_again(daemon, data, 4)


async def unread_streams(daemon: Daemon, agent: str, ended: str = "", count: int = STREAMS) -> None:
    """Ask for streams, and read nothing of them; the kernel keeps little on this side.

    They end after a while, with ``ended`` once that figure is ``count``.
    """
    body = {"model": f"openclaw/{agent}", "stream": True}
    body["messages"] = [{"role": "user", "content": "go"}]
    data = request(daemon, "/v1/chat/completions", TOKEN, body)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(4 * PATIENCE):
        with contextlib.ExitStack() as opened:
            for _ in range(STREAMS):
                sock = opened.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", daemon.port))
                await loop.sock_sendall(sock, data)
            await asyncio.sleep(SECONDS)
            while ended and await figure(daemon, ended) < count:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.1)


async def unread_pieces(daemon: Daemon) -> Counter[int]:
    await unread_streams(daemon, "flood")
    return Counter()


async def unread_words(daemon: Daemon) -> Counter[int]:
    await unread_streams(daemon, "words", 'trunkline_runs_ended_total{outcome="error"}')
    return Counter({200: STREAMS})  # each is cut, as there is no room for all that is said


async def unread_faces(daemon: Daemon) -> Counter[int]:
    """The text of each is more than 1 MiB in memory: all of them together have no room."""
    await unread_streams(daemon, "faces", SLOW, STREAMS // 2)
    return Counter({200: STREAMS})


async def unread_events(daemon: Daemon) -> Counter[int]:
    """Follow all runs on many connections, and read nothing of them while one agent floods."""
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(DEAF):
            client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
            opened.callback(client.socket.transport.abort)
            await client.hello(TOKEN)
            client.socket.transport.pause_reading()
        await unread_streams(daemon, "words", CUT, DEAF)
    return Counter({1008: DEAF})


@pytest.mark.parametrize(
    ("abuse", "counted"),
    [
        (wrong_hooks, 'trunkline_hook_requests_total{outcome="throttled"}'),
        (large_prompts, 'trunkline_api_requests_total{outcome="refused"}'),
        (unread_pieces, ""),
        (unread_words, SLOW),
        (unread_faces, SLOW),
        (unread_events, CUT),
    ],
    ids=[
        "wrong hooks",
        "large prompts",
        "unread pieces",
        "unread words",
        "unread faces",
        "unread events",
    ],
)
async def test_other_clients_are_answered_and_refused_connections_are_counted(
    tmp_path: Path, abuse: Abuse, counted: str
) -> None:
    lib = install_kind(tmp_path / "lib", bad_agent.KIND, bad_agent.MANIFEST)
    async with Daemon(tmp_path, CONFIG, PYTHONPATH=str(lib)) as daemon:
        status = await daemon.wait(
            lambda s: all(
                row["phase"] == "running" for row in [*s["accounts"].values(), *s["agents"]]
            )
        )
        gateway = psutil.Process(status["gateway"]["pid"])
        async with talking(daemon, "one") as person:
            await wrong_hooks_once(daemon)  # what the first request imports
            await person.is_answered("before")
            before = gateway.memory_info().rss
            work = asyncio.ensure_future(abuse(daemon))
            answers = await answers_beside(person, work)
            statuses = await work
            more = gateway.memory_info().rss - before
        if counted:
            refused = sum(count for status, count in statuses.items() if status != 401)
            assert refused > 0
            async with asyncio.timeout(PATIENCE):
                while await figure(daemon, counted) < refused:  # noqa: ASYNC110 - it is polled
                    await asyncio.sleep(0.05)
        assert answers > 0
        assert more < MORE_MIB * MIB, f"{more / MIB:.1f} MiB more"
        after = (await daemon.status())["gateway"]
        assert (after["pid"], after["outages"]) == (gateway.pid, 0)


async def wrong_hooks_once(daemon: Daemon) -> None:
    """Send one request with a wrong token, and wait for its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(request(daemon, "/hooks/wake", "wrong", {}))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def figure(daemon: Daemon, name: str) -> float:
    """Return a figure of the gateway, as monitoring reads it."""

    def read() -> str:
        with urlopen(f"http://127.0.0.1:{daemon.port}/metrics", timeout=PATIENCE) as answer:
            return str(answer.read(), "utf-8")

    lines = (await asyncio.to_thread(read)).splitlines()
    (value,) = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return float(value)


async def answers_beside(person: Person, work: asyncio.Future[Any]) -> int:
    """Talk until ``work`` is done; return how many lines were answered."""
    count = 0
    while not work.done():
        await person.is_answered(f"line {count}")
        count += 1
    return count
