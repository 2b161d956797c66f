"""Measures the costs of a large file: time, and memory of the worker and of the gateway.

    python -m bench.media [--channel telegram|slack] [--megabytes 50] [--rounds 3] [--json FILE]

A real daemon with one account, and this process as the platform's server and as the client. Each
round fetches a file of that size over http into the account's store and uploads it to the platform
(``down and up``), sends one of this host (``up``), receives one (``received``; of Telegram 20 MB,
the most that it gives), and reads a stored one from the gateway with a ticket
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
from typing import Any, Protocol

import aiohttp
import uvloop
from aiohttp import web

from bench import machine
from bench.measuring.figures import table
from bench.measuring.processes import Peak
from tests.support.daemon import Daemon
from tests.support.short_directory import ShortDirectory
from tests.support.watching import watching
from workers.testing.fakes.slack import FakeSlack, fake_slack
from workers.testing.fakes.telegram import FakeTelegram, fake_telegram

TOKEN = "1:AAtoken-of-a-fake-bot"
BOT_TOKEN, APP_TOKEN = "xoxb-fake-bench-1", "xapp-1-A1-bench-1"
PIECE = bytes(range(256)) * 1024
MIB = 1 << 20
RECEIVED = 20_000_000
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Step:
    """The costs of one step: seconds, and the increase of each process's memory in MiB."""

    name: str
    megabytes: float
    seconds: float
    worker_mib: float
    gateway_mib: float


class BenchPlatform(Protocol):
    """A platform's server: the account that it takes, the file that came last, and one to send."""

    channel: str
    to: str
    gives: int  # bytes, the largest file that it gives

    def account(self) -> dict[str, Any]:
        """Return the account's fields."""

    def last_size(self) -> int:
        """Return the size of the file that was uploaded last."""

    async def give(self, size: int, text: str) -> None:
        """Let somebody write a message with a file of so many bytes."""


class BenchTelegram:
    """Telegram, which gives 20 MB at most."""

    channel, to, gives = "telegram", "7", RECEIVED

    def __init__(self, fake: FakeTelegram) -> None:
        self._fake = fake

    def account(self) -> dict[str, Any]:
        """Return the account's fields."""
        return {"botToken": TOKEN, "apiRoot": self._fake.root}

    def last_size(self) -> int:
        """Return the size of the file that was uploaded last."""
        return int(self._fake.bot(TOKEN).sent[-1]["document"]["size"])

    async def give(self, size: int, text: str) -> None:
        """Let somebody write a message with a file of so many bytes."""
        file = self._fake.file(bytes(size), file_name="a.bin")
        await self._fake.say(TOKEN, caption=text, document=file)


class BenchSlack:
    """Slack, whose files the worker takes up to 100 MB."""

    channel, to, gives = "slack", "C1", 100_000_000

    def __init__(self, fake: FakeSlack) -> None:
        self._fake = fake

    def account(self) -> dict[str, Any]:
        """Return the account's fields."""
        return {"botToken": BOT_TOKEN, "appToken": APP_TOKEN, "apiRoot": self._fake.root}

    def last_size(self) -> int:
        """Return the size of the file that was uploaded last."""
        last = self._fake.app(BOT_TOKEN).sent[-1]["files"][0]
        return len(self._fake.files.files[last["id"]].content or b"")

    async def give(self, size: int, text: str) -> None:
        """Let somebody write a message with a file of so many bytes."""
        file = self._fake.files.add(bytes(size), "a.bin", "application/octet-stream")
        await self._fake.say(BOT_TOKEN, text, files=[file], subtype="file_share")


class MediaBench:
    """One daemon, one account, and the platform's server."""

    def __init__(self, daemon: Daemon, platform: BenchPlatform, files: str, size: int) -> None:
        self._daemon = daemon
        self._platform = platform
        self._key = f"{platform.channel}:bench"
        self._files = files
        self._size = size
        self._sent = 0

    async def round(self) -> list[Step]:
        """Run all steps once."""
        path = self._daemon.directory / "files" / "large.bin"
        return [
            await self._measured("down and up", self._size, lambda: self._send(self._files)),
            await self._measured("up", self._size, lambda: self._send(f"file://{path}")),
            await self._measured("received", min(self._platform.gives, self._size), self._receive),
            await self._measured("served", self._size, self._serve),
        ]

    async def _measured(self, name: str, size: int, run: Callable[[], Awaitable[object]]) -> Step:
        status = await self._daemon.status()
        worker = Peak(status["accounts"][self._key]["pid"])
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
        key = f"k{self._sent}-{os.getpid()}"
        params = {"to": self._platform.to, "mediaUrl": url, "idempotencyKey": key}
        await self._ask("send", params | {"channel": self._platform.channel})
        if (found := self._platform.last_size()) != self._size:
            raise RuntimeError(f"{found} bytes arrived instead of {self._size}")

    async def _receive(self) -> str:
        self._sent += 1
        text = f"received {self._sent}"
        async with watching(self._daemon) as watcher:
            await self._platform.give(min(self._platform.gives, self._size), text)
            await watcher.until(lambda: text in watcher.texts(self._key))
        return text

    async def _serve(self) -> None:
        place = self._daemon.directory / "state/media" / self._key
        stored = next(
            each.name
            for each in sorted(place.iterdir())
            if not each.suffix and each.stat().st_size == self._size
        )
        url = f"media:{stored}"
        asked = {"channel": self._platform.channel, "urls": [url]}
        path = (await self._ask("media.ticket", asked))["paths"][url]
        address, read = f"http://127.0.0.1:{self._daemon.port}{path}", 0
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            async for data in response.content.iter_any():
                read += len(data)
        if (response.status, read) != (200, self._size):
            raise RuntimeError(f"{response.status}: {read} of {self._size} bytes came")


async def measure(size: int, rounds: int, channel: str = "telegram") -> list[Step]:
    """Run so many rounds with files of ``size`` bytes."""
    with ShortDirectory() as place:
        (place / "files").mkdir()
        with (place / "files/large.bin").open("wb") as file:
            for at in range(0, size, len(PIECE)):
                file.write(PIECE[: size - at])
        async with _serving(place / "files") as root, _platform_of(channel) as platform:
            account = platform.account() | {"agent": "none"}
            config: dict[str, Any] = {
                "channels": {channel: {"accounts": {"bench": account}}},
                "media": {"allow": [root, str(place / "files")]},
            }
            async with Daemon(place, config) as daemon:
                await daemon.wait_phase(f"{channel}:bench", "running")
                bench = MediaBench(daemon, platform, f"{root}large.bin", size)
                found = [step for _ in range(rounds) for step in await bench.round()]
    return found


@asynccontextmanager
async def _platform_of(channel: str) -> AsyncIterator[BenchPlatform]:
    """Serve as the platform of a channel."""
    if channel == "slack":
        async with fake_slack() as slack:
            yield BenchSlack(slack)
    else:
        async with fake_telegram() as telegram:
            yield BenchTelegram(telegram)


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
    parser.add_argument("--channel", choices=["telegram", "slack"], default="telegram")
    parser.add_argument("--megabytes", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    size = int(given.megabytes * 1_000_000)
    steps = uvloop.run(measure(size, given.rounds, given.channel))
    print(f"\n{machine.sentence(machine.describe())}\n\n{report(steps)}")
    if given.json:
        found = {"machine": machine.describe(), "steps": [asdict(each) for each in steps]}
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
