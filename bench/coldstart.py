"""Measures the time to the first answer, and the memory of the gateway and idle clients.

    python -m bench.coldstart [--rounds 7] [--clients 1000] [--json FILE]

A start counts from the exec of `trunkline up`, in an environment that is built (with byte code)
and with files that are in the page cache, to the answer to the first `health` over the port. Each
start has a fresh state directory, a configuration with one account of `local`, and a client that
tries every 2 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import machine
from bench.measuring.figures import Spread, table
from bench.measuring.processes import pss_bytes
from bench.tied import TiedDaemon
from ipc.errors import IpcError
from ipc.websocket.client import Client
from tests.support.short_directory import ShortDirectory

PATIENCE = 30.0  # seconds
SETTLE_SECONDS = 3.0
BATCH = 50  # clients that connect beside each other
MIB = 2**20


def config() -> dict[str, Any]:
    """Return a configuration of one account."""
    return {"channels": {"local": {"accounts": {"demo": {}}}}, "agents": {"default": "echo"}}


async def first_answer(daemon: TiedDaemon) -> float:
    """Return the seconds from exec to the first answer of the gateway."""
    began = time.monotonic()
    daemon.launch()
    await _listening(daemon.port, began + PATIENCE)
    while time.monotonic() < began + PATIENCE:
        try:
            async with await daemon.client(caps=()) as client:
                await client.call("health")
        except (IpcError, OSError):
            await asyncio.sleep(0.002)  # nothing listens yet: only trying again shows it
        else:
            return time.monotonic() - began
    raise TimeoutError(f"no answer within {PATIENCE:g} s: {daemon.output.read_text()}")


async def _listening(port: int, until: float) -> None:
    """Wait until the port is open.

    Cheaply: trying with a whole client takes a tenth of the machine.
    """
    while time.monotonic() < until:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(0.002)


async def load_http_server(port: int) -> None:
    """Make the gateway load its HTTP server now instead of during the measurement."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()


async def idle(daemon: TiedDaemon, count: int) -> tuple[float, float]:
    """Return the gateway's PSS in MiB without clients, and the increase by ``count`` idle ones."""
    status = await daemon.wait_phase("local:demo", "running")
    assert status["pid"]
    gateway = (await daemon.status())["gateway"]["pid"]
    await load_http_server(daemon.port)
    await asyncio.sleep(SETTLE_SECONDS)
    before = pss_bytes(gateway) / MIB
    clients: list[Client] = []
    try:
        while len(clients) < count:
            wanted = min(BATCH, count - len(clients))
            clients += await asyncio.gather(
                *(daemon.client(caps=(), on_event=lambda event: None) for _ in range(wanted))
            )
        await asyncio.sleep(SETTLE_SECONDS)
        return before, pss_bytes(gateway) / MIB - before
    finally:
        for client in clients:
            await client.close()


async def measure(rounds: int, clients: int) -> dict[str, Any]:
    """Start the daemon ``rounds`` times, and measure the memory of the last."""
    starts = []
    before = more = 0.0
    for number in range(rounds):
        with ShortDirectory() as place:
            daemon = TiedDaemon(place, config())
            try:
                starts.append(await first_answer(daemon))
                if number == rounds - 1:
                    before, more = await idle(daemon, clients)
            finally:
                await daemon.__aexit__()
    return {
        "startSeconds": starts,
        "gatewayPssMiB": before,
        "clients": clients,
        "clientsPssMiB": more,
    }


def report(result: dict[str, Any]) -> str:
    """Return the figures and their targets as a table."""
    starts = Spread.of(result["startSeconds"])
    rows = [
        ["exec of `trunkline up` → first `health`, s", str(starts), "≤ 0.8"],
        ["gateway idle, PSS MiB", f"{result['gatewayPssMiB']:.1f}", "≤ 60"],
        [
            f"{result['clients']:,} idle authenticated clients, PSS MiB more",
            f"{result['clientsPssMiB']:.1f}",
            "≤ 20",
        ],
    ]
    return table(["", f"median (lowest–highest) of {starts.count}", "wanted"], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.coldstart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(measure(args.rounds, args.clients))
    print(report(result))
    print(f"\n{machine.sentence(about)}")
    if args.json:
        args.json.write_text(json.dumps({"machine": about, "coldStart": result}, indent=1))


if __name__ == "__main__":
    main()
