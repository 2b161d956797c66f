"""Measures process managers from PyPI with as many workers: supervisord and circus.

They run a Python program that imports what our workers import and connects to a ROUTER; they
know nothing of accounts or messages. Installed by name into the cache directory.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio

from bench.load.native import cache_dir
from bench.measuring.figures import percentile
from bench.measuring.processes import family, pss_bytes
from bench.tied import spawn
from tests.support.short_directory import ShortDirectory

PATIENCE = 120.0
KILLS = 5
WORKER = """
import os, sys, asyncio, uvloop, zmq, orjson, msgspec
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
socket.send(str(os.getpid()).encode())
async def main():
    await asyncio.Event().wait()
uvloop.run(main())
"""
SUPERVISORD = """[supervisord]
nodaemon=true
logfile={place}/supervisord.log
pidfile={place}/supervisord.pid
[program:w]
command={python} {worker} {address}
numprocs={count}
process_name=%(process_num)s
autorestart=true
startsecs=0
"""
CIRCUS = """[circus]
endpoint = ipc://{place}/c1
pubsub_endpoint = ipc://{place}/c2
[watcher:w]
cmd = {python} {worker} {address}
numprocesses = {count}
"""


async def compare(count: int) -> dict[str, Any]:
    """Return the figures of each manager, or ``error`` if it cannot be installed."""
    found: dict[str, Any] = {}
    for name, template in (("supervisor", SUPERVISORD), ("circus", CIRCUS)):
        try:
            python = await asyncio.to_thread(_environment, name)
            found[name] = await _measure(name, template, python, count)
        except (OSError, RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            found[name] = {"error": f"not measured: {error}"}
    return found


def _environment(name: str) -> Path:
    place = cache_dir() / f"venv-{name}"
    python = place / "bin" / "python"
    if not (place / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        wanted = [name, "setuptools<81", "uvloop", "pyzmq", "orjson", "msgspec"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
        (place / "done").touch()
    return python


async def _measure(name: str, template: str, python: Path, count: int) -> dict[str, Any]:
    with ShortDirectory() as place:
        worker = place / "worker.py"
        worker.write_text(WORKER)
        address = f"ipc://{place}/hello"
        config = place / "config.ini"
        values = {"place": place, "python": python, "worker": worker, "address": address}
        config.write_text(template.format(count=count, **values))
        words = (
            ("supervisord", "-c", str(config)) if name == "supervisor" else ("circusd", str(config))
        )
        context = zmq.asyncio.Context()
        hello = context.socket(zmq.ROUTER)
        hello.bind(address)
        began = time.monotonic()
        quiet = subprocess.DEVNULL
        manager = spawn(str(python.with_name(words[0])), *words[1:], stdout=quiet, stderr=quiet)
        try:
            pids = [await _hello(hello) for _ in range(count)]
            ready = time.monotonic() - began
            back = []
            memory = [pss_bytes(pid) for pid in pids]
            own = pss_bytes(manager.pid)
            for pid in pids[:KILLS]:
                killed = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                await _hello(hello)
                back.append(time.monotonic() - killed)
        finally:
            for pid in reversed(family(manager.pid)):
                os.kill(pid, signal.SIGKILL)
            manager.wait()
            hello.close(linger=0)
            context.term()
        return {
            "readySeconds": ready,
            "managerMiB": own / 2**20,
            "workerMiB": sum(memory) / len(memory) / 2**20,
            "backMs": percentile(back, 0.5) * 1e3,
        }


async def _hello(socket: Any) -> int:
    parts = await asyncio.wait_for(socket.recv_multipart(), PATIENCE)
    return int(parts[-1])
