"""Floods and clients that do not read cost the gateway little, and nobody else their answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import bad_agent
from tests.support.agent_packages import install_kind
from tests.support.daemon import TOKEN, Daemon
from tests.support.person import Person, talking

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1 << 20
MORE_MIB = 64
SECONDS = 4.0  # that each kind of abuse lasts
CLIENTS = 32
HOOK_TOKEN = "hook-token-0123456789"
CONFIG: dict[str, Any] = {
    "agents": {
        "default": "main",
        "maxConcurrent": 100,
        "entries": {
            "main": {"kind": "echo"},
            "flood": {"kind": bad_agent.KIND, "fault": "floods"},
        },
    },
    "channels": {"local": {"accounts": {"one": {}}}},
    "hooks": {"enabled": True, "token": HOOK_TOKEN},
    "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}},
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


async def streams_that_nobody_reads(daemon: Daemon) -> Counter[int]:
    body = {"model": "openclaw/flood", "stream": True}
    body["messages"] = [{"role": "user", "content": "go"}]
    data = request(daemon, "/v1/chat/completions", TOKEN, body)
    opened = [await asyncio.open_connection("127.0.0.1", daemon.port) for _ in range(20)]
    for reader, writer in opened:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(data)
    await asyncio.sleep(SECONDS)
    for _, writer in opened:
        writer.transport.abort()
    return Counter()


@pytest.mark.parametrize(
    ("abuse", "counted"),
    [
        (wrong_hooks, lambda status: status["hooks"]["throttled"]),
        (large_prompts, lambda status: status["httpApi"]["ended"]["refused"]),
        (streams_that_nobody_reads, None),
    ],
    ids=["wrong hooks", "large prompts", "unread streams"],
)
async def test_others_are_answered_and_each_refusal_is_counted(
    tmp_path: Path, abuse: Abuse, counted: Callable[[Any], int] | None
) -> None:
    lib = install_kind(tmp_path / "lib", bad_agent.KIND, bad_agent.MANIFEST)
    async with Daemon(tmp_path, CONFIG, PYTHONPATH=str(lib)) as daemon:
        status = await daemon.wait(
            lambda s: all(
                row["phase"] == "running" for row in [*s["accounts"].values(), *s["agents"]]
            )
        )
        gateway = psutil.Process(status["gateway"]["pid"])
        async with talking(daemon, "one") as person, await daemon.client() as client:
            await wrong_hooks_once(daemon)  # what the first request imports
            await person.is_answered("before")
            before = gateway.memory_info().rss
            work = asyncio.ensure_future(abuse(daemon))
            answers = await answers_beside(person, work)
            statuses = await work
            more = gateway.memory_info().rss - before
            told = await client.call("status")
        assert answers > 0
        assert more < MORE_MIB * MIB, f"{more / MIB:.1f} MiB more"
        if counted is not None:
            refused = sum(count for status, count in statuses.items() if status != 401)
            assert counted(told) >= refused > 0
        after = (await daemon.status())["gateway"]
        assert (after["pid"], after["outages"]) == (gateway.pid, 0)


async def wrong_hooks_once(daemon: Daemon) -> None:
    """Send one request with a wrong token, and wait for its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(request(daemon, "/hooks/wake", "wrong", {}))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def answers_beside(person: Person, work: asyncio.Future[Any]) -> int:
    """Talk until ``work`` is done; return how many lines were answered."""
    count = 0
    while not work.done():
        await person.is_answered(f"line {count}")
        count += 1
    return count
