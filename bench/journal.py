"""Measures the cost of storing every message before it leaves the gateway.

    python -m bench.journal [--seconds 3] [--rounds 3] [--json FILE]

A real gateway in a process of its own, and the worker's end of the data link for eight accounts in
this one. Rounds with and without a journal alternate. ``messages/s`` is what is acknowledged while
all accounts emit as fast as they may; the latency is from emit to acknowledgement, at 100 and at
20,000 messages a second, and at 100 beside a gateway whose event loop is busy all the time.
``fsync`` is the median of small fdatasync(2) calls on the same disk during the same round: without
a journal nothing waits for them; ``more MiB`` is by how much the gateway's PSS has grown when they
end. Figures only count beside those of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from bench import machine
from bench.measuring.disk import DiskProbe
from bench.measuring.figures import fixed, percentile, table
from bench.measuring.processes import must_measure, pss_bytes
from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.data import INBOUND
from ipc.identity.peer import PeerProof
from ipc.websocket.client import Client
from runtime.gateway.main import main as run_gateway
from tests.support.gateway_rig import SECRET, SESSION, boot_of, payload, row
from tests.support.short_directory import ShortDirectory
from workers.links.data import WorkerDataLink

KEYS = [f"irc:a{number}" for number in range(8)]
TEXT = "x" * 300
BUSY_SECONDS = 0.01  # for which a busy loop computes before it looks at anything else


@dataclass(frozen=True, slots=True)
class Result:
    """One round. Latencies and ``fsync_ms`` are milliseconds."""

    journal: str
    rate: int  # messages a second over all accounts; 0: as many as go through
    busy: bool
    per_second: float
    p50_ms: float
    p99_ms: float
    fsync_ms: float
    gateway_mib: float  # more at the end than when all accounts were connected


async def measure(journal: str, rate: int, seconds: float, *, busy: bool = False) -> Result:
    """Run one round against a gateway of its own."""
    with ShortDirectory() as place:
        async with (
            _gateway(place, busy=busy) as (url, pid),
            _links(place, url, journal) as links,
        ):
            held = pss_bytes(pid)
            disk = DiskProbe(place)
            disk.start()
            begin = time.perf_counter()
            before = sum(link.backlog.acked for link in links)
            if rate:
                delays = await _paced(links, rate, seconds)
            else:
                delays = await _flood(links, seconds)
            count = sum(link.backlog.acked for link in links) - before
            spent = time.perf_counter() - begin
            fsync = disk.end()
            more = pss_bytes(pid) - held
    return Result(
        journal,
        rate,
        busy,
        count / spent,
        percentile(delays, 0.5) * 1e3,
        percentile(delays, 0.99) * 1e3,
        fsync * 1e3,
        more / 2**20,
    )


@asynccontextmanager
async def _gateway(place: Path, *, busy: bool) -> AsyncIterator[tuple[str, int]]:
    """Run a gateway in a separate process; yield its address and its pid."""
    boot = msgspec.msgpack.decode(boot_of(place, 1)) | {"state_dir": str(place)}
    (place / "boot").write_bytes(msgspec.msgpack.encode(boot))
    listener = socket.create_server(("127.0.0.1", 0))
    fd = listener.fileno()
    arguments = ["serve", str(place / "boot"), str(fd), *(["busy"] if busy else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.journal", *arguments, pass_fds=[fd], cwd=machine.ROOT
    )
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}", process.pid
    finally:
        listener.close()
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _links(place: Path, url: str, journal: str) -> AsyncIterator[list[WorkerDataLink]]:
    """Connect the accounts, reported as running, and wait until the gateway has accepted all."""
    supervisor = await Client.connect(url, token=SESSION)
    rows = {key: row(key, journal=journal) for key in KEYS}
    await supervisor.call("channels.report", {"accounts": rows, "whole": True})
    links = []
    for key in KEYS:
        token = PeerProof(SECRET).token(key, 1)
        data = f"ipc://{place / 'data.ipc'}"
        boot = WorkerBoot(key, 1, token, "", data, "", {}, "", "")
        link = WorkerDataLink(boot, lambda call, gateway: None, structlog.get_logger("bench"))
        link.open()
        links.append(link)
    try:
        for link, key in zip(links, KEYS, strict=True):
            _emit(link, key)
            await link.wait_acknowledged(1)
        yield links
    finally:
        for link in links:
            link.close()
        await supervisor.close()


def _emit(link: WorkerDataLink, key: str) -> int:
    seq = link.backlog.last + 1
    link.post(payload(key, seq, text=TEXT), INBOUND, b"%d" % seq)
    return seq


async def _flood(links: list[WorkerDataLink], seconds: float) -> list[float]:
    """Emit as fast as the backlog permits; time one message in 500."""
    delays: list[float] = []
    end = time.perf_counter() + seconds

    async def one(link: WorkerDataLink, key: str) -> None:
        head, rest = payload(key, 0, text=TEXT).split(b'"cursor":"1:0"')
        middle, tail = rest.split(b'"id":"m0"')
        timed: asyncio.Task[None] | None = None
        while time.perf_counter() < end:
            seq = link.backlog.last + 1
            named = b'%b"cursor":"1:%d"%b"id":"m%d"%b' % (head, seq, middle, seq, tail)
            link.post(named, INBOUND)
            if seq % 500 == 0 and (timed is None or timed.done()):
                timed = asyncio.create_task(_time(link, seq, delays))
            if link.backlog.crowded:
                await link.wait_for_room()
        if timed is not None:
            await timed

    await asyncio.gather(*map(one, links, KEYS))
    return delays


async def _paced(links: list[WorkerDataLink], rate: int, seconds: float) -> list[float]:
    """Emit at a rate over all accounts, in batches at most each millisecond; time one per batch."""
    delays: list[float] = []
    tasks: set[asyncio.Task[None]] = set()
    begin = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) - begin < seconds:
        due = int((now - begin) * rate)
        for number in range(sent, due):
            link, key = links[number % len(links)], KEYS[number % len(KEYS)]
            seq = _emit(link, key)
            if number == sent:
                task = asyncio.create_task(_time(link, seq, delays))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        sent = max(sent, due)
        await asyncio.sleep(max(0.001, begin + (sent + 1) / rate - time.perf_counter()))
    await asyncio.gather(*tasks)
    return delays


async def _time(link: WorkerDataLink, seq: int, delays: list[float]) -> None:
    begin = time.perf_counter()
    await link.wait_acknowledged(seq)
    delays.append(time.perf_counter() - begin)


def report(results: Sequence[Result]) -> str:
    """Return the rounds as a table in Markdown."""
    head = (
        "journal",
        "rate/s",
        "loop",
        "messages/s",
        "p50 ms",
        "p99 ms",
        "fsync p50 ms",
        "more MiB",
    )
    rows = [
        (
            each.journal,
            str(each.rate or "all"),
            "busy" if each.busy else "idle",
            f"{each.per_second:,.0f}",
            fixed(each.p50_ms, 2),
            fixed(each.p99_ms),
            f"{each.fsync_ms:.2f}",
            f"{each.gateway_mib:+.1f}",
        )
        for each in results
    ]
    return table(head, rows)


async def _run(seconds: float, rounds: int) -> list[Result]:
    found = []
    for _ in range(rounds):
        for rate, busy in ((0, False), (100, False), (20_000, False), (100, True)):
            for journal in ("off", "on"):
                found.append(await measure(journal, rate, seconds, busy=busy))
                print(report(found[-1:]).splitlines()[-1], flush=True)
    return found


async def _serve(boot: bytes, fd: int, *, busy: bool) -> None:
    """Run the gateway; with ``busy``, also a coroutine that never sleeps."""
    spinning = asyncio.create_task(_spin()) if busy else None
    await run_gateway(boot, {"listen": fd}, lambda cause, text: None)
    if spinning is not None:
        spinning.cancel()


async def _spin() -> None:
    while True:
        end = time.perf_counter() + BUSY_SECONDS
        while time.perf_counter() < end:
            sum(range(100))
        await asyncio.sleep(0)


def main(arguments: Sequence[str]) -> None:
    """Measure and print; ``serve`` is the gateway's own process."""
    if arguments[:1] == ["serve"]:
        boot, fd = Path(arguments[1]).read_bytes(), int(arguments[2])
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        uvloop.run(_serve(boot, fd, busy="busy" in arguments))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    must_measure()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    results = uvloop.run(_run(options.seconds, options.rounds))
    print(f"\n{machine.sentence(machine.describe())}\n\n{report(results)}")
    if options.json is not None:
        found: dict[str, Any] = {"machine": machine.describe()}
        options.json.write_text(json.dumps(found | {"rounds": [asdict(each) for each in results]}))


if __name__ == "__main__":
    main(sys.argv[1:])
