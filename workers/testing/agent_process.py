"""Runs a worker in a process of its own, in place of a supervisor.

``python -m workers.testing.agent_process`` is that process: it reads its boot object from standard
input and ends when that is closed, so that it outlives no test.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from ipc.frames.bootstrap import WorkerBoot
from ipc.frames.control import Beat, StatusPatch, WorkerReady, decode_from_worker
from ipc.identity.peer import PeerProof
from ipc.zeromq.router import Router
from workers.testing.loop_thread import PATIENCE, PAUSE

LENGTH = struct.Struct("!I")
MODULE = "workers.testing.agent_process"


class AgentProcess:
    """One incarnation of an agent. ``data`` is the address of its gateway, ``proof`` of both.

    ``directory`` is for its storage and its output; its path has to be short. ``status`` is what it
    has reported of itself, ``beats`` its figures.
    """

    def __init__(
        self,
        manifest: str,
        config: dict[str, Any],
        *,
        data: str,
        proof: PeerProof,
        directory: Path,
        key: str = "agent:test",
        incarnation: int = 1,
    ) -> None:
        self.key = key
        self.incarnation = incarnation
        self.status: dict[str, Any] = {}
        self.beats: list[Beat] = []
        self._ready = asyncio.Event()
        self._output = directory / f"output-{incarnation}.txt"
        address = f"ipc://{directory / f'control-{incarnation}.ipc'}"
        self._router = Router(address, proof, self._on_frame)
        boot = WorkerBoot(
            key,
            incarnation,
            proof.token(key, incarnation),
            address,
            data,
            manifest,
            config,
            str(directory / "storage"),
            str(directory),
            beat=1.0,
        )
        self._process = _started(msgspec.msgpack.encode(boot), self._output)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def printed(self) -> str:
        """What it has printed, its log in particular."""
        return self._output.read_text(errors="replace")

    async def ready(self) -> None:
        """Wait until the agent can take turns; raises ``AssertionError`` where it ends instead."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while not self._ready.is_set():
            if self._process.poll() is not None:
                code = self._process.returncode
                raise AssertionError(f"the agent's process ended with {code}:\n{self.printed}")
            if loop.time() >= deadline:
                raise AssertionError(f"not ready after {PATIENCE:g} s:\n{self.printed}")
            await asyncio.sleep(PAUSE)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    async def stop(self) -> int:
        """Stop it as the supervisor does; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE)

    def close(self) -> None:
        """Kill it where it lives, and let go of what belongs to it."""
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._router.close()

    def _on_frame(self, peer: bytes, body: bytes) -> None:
        for frame in decode_from_worker(body):
            match frame:
                case WorkerReady():
                    self._ready.set()
                case StatusPatch():
                    self.status |= frame.patch
                case Beat():
                    self.beats.append(frame)


def _started(boot: bytes, output: Path) -> subprocess.Popen[bytes]:
    """Start a process that runs the worker of a boot object, and prints to a file."""
    paths = [os.getcwd(), *filter(None, sys.path)]
    with output.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and ours
            [sys.executable, "-m", MODULE],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
    assert process.stdin is not None
    process.stdin.write(LENGTH.pack(len(boot)) + boot)
    process.stdin.flush()
    return process


def _live_on_input() -> None:
    """End the process when its standard input is closed."""
    sys.stdin.buffer.read()
    os._exit(1)


def _print_end(
    cause: str, text: str, final: bool = False, retry_after: float | None = None
) -> None:
    sys.stderr.write(f"{cause}: {text}\n")


def run() -> int:
    """Run the worker whose boot object comes on standard input; return its exit code."""
    import uvloop

    from workers.process.worker import main

    (length,) = LENGTH.unpack(sys.stdin.buffer.read(LENGTH.size))
    payload = sys.stdin.buffer.read(length)
    threading.Thread(target=_live_on_input, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main(payload, {}, _print_end))


if __name__ == "__main__":
    code = run()
    sys.stderr.flush()
    os._exit(code)  # threads of an agent may be stuck
