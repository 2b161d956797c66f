"""The real OpenClaw, from the folder named in ``BENCH_OPENCLAW`` (where npm has installed it).

Only its gateway, without channels, in a state directory of its own. It speaks the protocol
that we speak, so the same clients ask both the same questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.measuring.processes import family
from bench.systems.product import connect_request
from bench.systems.system import Entry, Order, Processes
from bench.tied import die_with_parent
from ipc.errors import IpcError
from ipc.websocket.client import Client
from ipc.websocket.connect import OPERATOR
from tests.support.daemon import TOKEN
from tests.support.short_directory import ShortDirectory
from workers.testing.ports import free_port

IN_FLIGHT = 16  # requests that are not answered yet; it refuses more as busy
PATIENCE = 120.0  # seconds; it needs 10 to 40 to start


def program() -> list[str] | None:
    """Return the command of the installed OpenClaw, ``None`` where there is none."""
    named = os.environ.get("BENCH_OPENCLAW")
    if not named:
        return None
    folder = Path(named)
    own = folder / "node_modules" / "node" / "bin" / "node"
    node = str(own) if own.exists() else shutil.which("node")
    entry = folder / "node_modules" / "openclaw" / "openclaw.mjs"
    return [node, str(entry)] if node and entry.exists() else None


class OpenClaw:
    """The gateway of OpenClaw. It has no workers: it emits when one more client reports
    something about itself (``system-event``), which goes to every client (``presence``).
    """

    name = "openclaw"
    _sender: Client | None = None
    _emitting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it lets a client in."""
        command = program()
        assert command is not None, "ask program() first"
        self._place = ShortDirectory()
        state = self._place.path
        self._port = free_port()
        self._url = f"ws://127.0.0.1:{self._port}"
        self._number = 0
        gateway = {
            "mode": "local",
            "port": self._port,
            "bind": "loopback",
            "auth": {"mode": "token", "token": TOKEN},
        }
        (state / "openclaw.json").write_text(json.dumps({"gateway": gateway}))
        env = os.environ | {
            "HOME": str(state),
            "OPENCLAW_STATE_DIR": str(state),
            "OPENCLAW_CONFIG_PATH": str(state / "openclaw.json"),
            "OPENCLAW_SKIP_CHANNELS": "1",
            "OPENCLAW_GATEWAY_TOKEN": TOKEN,
        }
        with (state / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "gateway", "run", "--port", str(self._port), "--token", TOKEN],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,
            )
        try:
            await asyncio.wait_for(self._let_in(), PATIENCE)
        except TimeoutError:
            text = (state / "output.txt").read_text()[-2000:]
            await self.stop()
            raise RuntimeError(f"OpenClaw did not start:\n{text}") from None

    async def _let_in(self) -> None:
        while True:
            try:
                client = await Client.connect(self._url, token=TOKEN)
            except (IpcError, OSError):
                await asyncio.sleep(0.5)
            else:
                await client.call("health")
                await client.close()
                return

    async def stop(self) -> None:
        """End it and what it started."""
        await self.silence()
        if self._sender is not None:
            await self._sender.close()
            self._sender = None
        for pid in reversed(family(self._process.pid)):
            os.kill(pid, 9)
        self._process.wait()
        shutil.rmtree(self._place.path, ignore_errors=True)
        self._place.cleanup()

    def entry(self, *, events: bool = True) -> Entry:
        """Return how clients enter, and what the generator counts."""
        return Entry(self._port, ("--event", "presence"), connect_request(()))

    async def emit(self, order: Order) -> None:
        """Start sending it ``system-event`` requests."""
        if self._sender is None:
            self._sender = await Client.connect(
                self._url, token=TOKEN, scopes=OPERATOR, on_event=lambda event: None
            )
        self._emitting = asyncio.create_task(self._send_all(self._sender, order))

    async def silence(self) -> None:
        """Stop sending."""
        if self._emitting is not None:
            self._emitting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._emitting
            self._emitting = None

    async def _send_all(self, sender: Client, order: Order) -> None:
        if order.rate < 0:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(IN_FLIGHT):
                    tasks.create_task(self._repeat(sender, order.size, 0))
        else:
            await self._repeat(sender, order.size, 1 / (order.rate * order.workers))

    async def _repeat(self, sender: Client, size: int, pause: float) -> None:
        while True:
            self._number += 1
            text = f"{self._number:010} {time.monotonic_ns():019} ".ljust(size, "x")
            await sender.call("system-event", {"text": text, "instanceId": "bench"})
            await asyncio.sleep(pause)

    def processes(self) -> Processes:
        """Return the processes that run."""
        return Processes(family(self._process.pid))
