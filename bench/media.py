"""Measures what a large file costs: time, and memory of the worker and of the gateway.

    python -m bench.media [--megabytes 50] [--rounds 3] [--json FILE]

A real daemon with one account of Telegram, and this process as the platform's server and as the
client. Each round fetches a file of that size over http into the account's store and uploads it
to the platform (``down and up``), sends one of this host (``up``), receives one of 20 MB, the most
that Telegram gives (``received``), and reads a stored one from the gateway with a ticket
(``served``). The memory is the highest RSS of the process during the step (``VmHWM``, which the
kernel counts, reset before each) less its RSS before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from bench import machine
from bench.measuring.figures import table
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory
from tests.support.watching import watching
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

KEY, TOKEN = "telegram:bench", "1:AAtoken-of-a-fake-bot"
PIECE = bytes(range(256)) * 1024
MIB = 1 << 20
RECEIVED = 20_000_000
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Step:
    """What one step has cost: seconds, and MiB that each process has taken beyond what it had."""

    name: str
    megabytes: float
    seconds: float
    worker_mib: float
    gateway_mib: float


class Peak:
    """The highest RSS of a process from now on; raises ``OSError`` when it is gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def mib(self) -> float:
        """Return by how many MiB it was above what it is from the beginning."""
        return (self._read("VmHWM") - self._before) / 1024

    def _read(self, name: str) -> int:
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        raise OSError(f"no {name} of process {self._pid}")


class MediaBench:
    """One daemon, one bot, and the platform's server."""

    def __init__(self, daemon: Daemon, fake: FakeTelegram, files: str, size: int) -> None:
        self._daemon = daemon
        self._fake = fake
        self._files = files
        self._size = size
        self._sent = 0

    async def round(self) -> list[Step]:
        """Run all steps once."""
        path = self._daemon.directory / "files" / "large.bin"
        return [
            await self._measured("down and up", self._size, lambda: self._send(self._files)),
            await self._measured("up", self._size, lambda: self._send(f"file://{path}")),
            await self._measured("received", RECEIVED, self._receive),
            await self._measured("served", self._size, self._serve),
        ]

    async def _measured(self, name: str, size: int, run: Callable[[], Awaitable[object]]) -> Step:
        status = await self._daemon.status()
        worker = Peak(status["accounts"][KEY]["pid"])
        gateway = Peak(status["gateway"]["pid"])
        began = time.perf_counter()
        await run()
        seconds = time.perf_counter() - began
        return Step(name, size / 1e6, seconds, worker.mib(), gateway.mib())

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        client = await self._daemon.client()
        try:
            return dict(await client.call(method, params, timeout=PATIENCE))
        finally:
            await client.close()

    async def _send(self, url: str) -> None:
        self._sent += 1
        params = {"to": "7", "mediaUrl": url, "idempotencyKey": f"k{self._sent}-{os.getpid()}"}
        await self._ask("send", params | {"channel": "telegram"})
        found = self._fake.bot(TOKEN).sent[-1]["document"]
        if found["size"] != self._size:
            raise RuntimeError(f"{found} arrived instead of {self._size} bytes")

    async def _receive(self) -> str:
        self._sent += 1
        text = f"received {self._sent}"
        async with watching(self._daemon) as watcher:
            file = self._fake.file(bytes(RECEIVED), file_name="a.bin")
            await self._fake.say(TOKEN, caption=text, document=file)
            await watcher.until(lambda: text in watcher.texts(KEY))
        return text

    async def _serve(self) -> None:
        place = self._daemon.directory / "state/media" / KEY
        stored = next(
            each.name
            for each in sorted(place.iterdir())
            if not each.suffix and each.stat().st_size == self._size
        )
        url = f"media:{stored}"
        asked = {"channel": "telegram", "urls": [url]}
        path = (await self._ask("media.ticket", asked))["paths"][url]
        address, read = f"http://127.0.0.1:{self._daemon.port}{path}", 0
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            async for data in response.content.iter_any():
                read += len(data)
        if (response.status, read) != (200, self._size):
            raise RuntimeError(f"{response.status}: {read} of {self._size} bytes came")


async def measure(size: int, rounds: int) -> list[Step]:
    """Run so many rounds with files of ``size`` bytes."""
    with ShortDirectory() as place:
        (place / "files").mkdir()
        with (place / "files/large.bin").open("wb") as file:
            for at in range(0, size, len(PIECE)):
                file.write(PIECE[: size - at])
        async with _serving(place / "files") as root, fake_telegram() as fake:
            account = {"botToken": TOKEN, "apiRoot": fake.root, "agent": "none"}
            config: dict[str, Any] = {
                "channels": {"telegram": {"accounts": {"bench": account}}},
                "media": {"allow": [root, str(place / "files")]},
            }
            async with Daemon(place, config) as daemon:
                await daemon.wait_phase(KEY, "running")
                bench = MediaBench(daemon, fake, f"{root}large.bin", size)
                found = [step for _ in range(rounds) for step in await bench.round()]
    return found


@asynccontextmanager
async def _serving(directory: Path) -> AsyncIterator[str]:
    """Serve the files of a directory; yield the address."""
    app = web.Application()
    app.router.add_static("/", directory)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def report(steps: list[Step]) -> str:
    """Return a table with a row for each step: medians of time, the highest memory of all."""
    rows = []
    for name in dict.fromkeys(each.name for each in steps):
        those = [each for each in steps if each.name == name]
        rows.append(
            [
                name,
                f"{those[0].megabytes:.0f}",
                f"{statistics.median(each.seconds for each in those):.2f}",
                f"{max(each.worker_mib for each in those):.1f}",
                f"{max(each.gateway_mib for each in those):.1f}",
            ]
        )
    return table(["step", "MB", "seconds", "worker MiB", "gateway MiB"], rows)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.media")
    parser.add_argument("--megabytes", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    size = int(given.megabytes * 1_000_000)
    steps = uvloop.run(measure(size, given.rounds))
    print(f"\n{machine.sentence(machine.describe())}\n\n{report(steps)}")
    if given.json:
        found = {"machine": machine.describe(), "steps": [asdict(each) for each in steps]}
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
