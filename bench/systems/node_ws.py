"""Measures Node.js: ``child_process.fork`` with its IPC, and ``ws`` from npm."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

from bench.load.native import cache_dir
from bench.systems.system import Entry, Order, Processes
from bench.tied import spawn

WORKERS = 4
HERE = Path(__file__).parent / "node"


def package() -> Path | None:
    """Return where ``ws`` is installed, fetching it by name; ``None`` when Node is absent."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    place = cache_dir() / "node"
    found = place / "node_modules" / "ws"
    if not found.exists():
        place.mkdir(exist_ok=True)
        command = ("npm", "install", "--silent", "--no-audit", "--no-fund", "ws@8")
        if subprocess.run(command, cwd=place, check=False).returncode != 0:
            return None
    return found


class Node:
    """``joined``: what is ready in one turn of the event loop leaves in one write."""

    def __init__(self, *, joined: bool = False) -> None:
        self.name = "node joined" if joined else "node"
        self._joined = joined
        self._process: subprocess.Popen[bytes]
        self._port = 0
        self._workers: list[int] = []

    async def start(self) -> None:
        """Start it; its workers are its children."""
        where = package()
        assert where is not None, "ask package() first"
        words = ["node", str(HERE / "gateway.js"), str(where), str(WORKERS)]
        words += ["joined"] if self._joined else []
        self._process = spawn(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdout is not None
        line = await asyncio.to_thread(self._process.stdout.readline)
        said = json.loads(line)
        self._port, self._workers = said["port"], said["workers"]

    async def stop(self) -> None:
        """End it; the workers see the end of their channel."""
        self._process.kill()
        self._process.communicate()

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients connect."""
        return Entry(self._port, ("--plain",))

    async def emit(self, order: Order) -> None:
        """Let the first workers emit."""
        self._tell(workers=order.workers, rate=order.rate, size=order.size)

    async def silence(self) -> None:
        """Stop all sources."""
        self._tell(workers=WORKERS, rate=0, size=200)

    def processes(self) -> Processes:
        """Return the processes that run."""
        return Processes([self._process.pid], self._workers)

    def _tell(self, **order: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
