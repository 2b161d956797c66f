"""The real daemon in a temporary place: what every end-to-end test drives."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ipc.errors import IpcError
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import ReconnectingClient
from tests.support.ordinary_user import ORDINARY, give, need_ordinary_user
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE
from workers.testing.ports import free_port

TOKEN = "test-token-0123456789"
CLI = [sys.executable, "-P", "-c", "from ops.cli.entry import main; main()"]

# A fast policy, so that tests see backoff without waiting for minutes.
FAST = {
    "initialSeconds": 0.2,
    "maximumSeconds": 1.0,
    "healthyAfterSeconds": 60.0,
    "stopWithinSeconds": 3.0,
    "readyWithinSeconds": 20.0,
}

ECHO: dict[str, Any] = {"agents": {"default": "echo"}}  # of a daemon whose accounts are answered


def _open(section: Any) -> Any:
    """Return a channel whose accounts answer everybody, unless it sets a policy itself.

    Who may talk is the subject of tests of its own.
    """
    if not isinstance(section, dict) or "dmPolicy" in section:
        return section
    return {"dmPolicy": "open", "groupPolicy": "open", **section}


class Daemon:
    """One daemon with its own state, configuration and port. Use as an async context."""

    admits_everybody = True  # where its channels do not say whom they answer

    def __init__(self, directory: Path, config: dict[str, Any], **env: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.config_path = directory / "trunkline.json5"
        self.sockets = ShortDirectory()  # pytest's are long
        self.run_dir = self.sockets.path / "run"
        self.write(config)
        self.env = {
            **os.environ,
            "TRUNKLINE_STATE_DIR": str(directory / "state"),
            "TRUNKLINE_CONFIG_PATH": str(self.config_path),
            "TRUNKLINE_RUNTIME_DIR": str(self.run_dir),
            "PYTHONPATH": os.pathsep.join(
                [*filter(None, [env.pop("PYTHONPATH", "")]), str(Path(__file__).parents[2])]
            ),
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.output = directory / "output.txt"
        self.prefix: tuple[str, ...] = ()  # a program that runs ours: with fewer rights, say

    def write(self, config: dict[str, Any]) -> None:
        """Write the configuration file: ``config`` with our port, token and a fast policy.

        No agent answers, and none is started, unless ``config`` says so.
        """
        gateway = {"port": self.port, "auth": {"token": TOKEN}, **config.get("gateway", {})}
        supervisor = {"restart": FAST, **config.get("supervisor", {})}
        whole = {"agents": {"default": "none"}, **config, "gateway": gateway}
        whole["supervisor"] = supervisor
        if self.admits_everybody and "channels" in config:
            whole["channels"] = {name: _open(each) for name, each in config["channels"].items()}
        self.config_path.write_text(json.dumps(whole))
        self.config_path.chmod(0o600)

    def run_as_ordinary_user(self) -> None:
        """Run it and its command line without capabilities; ``directory`` must be a short one."""
        try:
            need_ordinary_user()
        except BaseException:  # the test is skipped
            self.sockets.cleanup()
            raise
        give(self.directory, self.sockets.path)
        self.env["HOME"] = str(self.directory)
        self.prefix = ORDINARY

    async def __aenter__(self) -> Daemon:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self.end)
        self.sockets.cleanup()

    async def start(self, *args: str) -> None:
        """Start it and wait until its gateway answers."""
        out = self.output.open("ab")
        self.process = await asyncio.to_thread(
            subprocess.Popen,
            [*self.prefix, *CLI, "up", *args],
            env=self.env,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
        out.close()
        await self.wait(lambda status: status["gateway"]["connected"])

    def end(self) -> int:
        """Stop it as Ctrl-C does, and wait until it is gone."""
        process = self.process
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            process.kill()
            process.wait()
            raise AssertionError(f"daemon did not end:\n{self.output.read_text()}") from late
        self.process = None
        return code

    def kill(self) -> None:
        """Kill the supervisor with SIGKILL and reap it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def family(self) -> list[psutil.Process]:
        """Return every process of this daemon, the supervisor last."""
        supervisor = psutil.Process(self.pid)
        return [*supervisor.children(recursive=True), supervisor]

    async def local(self, **kwargs: Any) -> Client:
        """Return a session with the supervisor."""
        return await Client.connect("ws://localhost/", unix=self.run_dir / "cli.sock", **kwargs)

    async def client(self, **kwargs: Any) -> Client:
        """Return a session with the gateway that gets our own events."""
        kwargs.setdefault("caps", ("channel-events",))
        return await Client.connect(f"ws://127.0.0.1:{self.port}", token=TOKEN, **kwargs)

    def reconnecting(self, **kwargs: Any) -> ReconnectingClient:
        """Return a client of the gateway that stays over its restarts; it is not open yet."""
        return ReconnectingClient(f"ws://127.0.0.1:{self.port}", token=TOKEN, **kwargs)

    async def call(self, method: str, params: Any = None) -> Any:
        """Call a method of the supervisor."""
        client = await self.local()
        try:
            return await client.call(method, params or {})
        finally:
            await client.close()

    async def status(self) -> dict[str, Any]:
        """Return what ``trunkline status --json`` prints, accounts by key."""
        status = await self.call("supervisor.status")
        status["accounts"] = {row["account"]: row for row in status["accounts"]}
        return dict(status)

    async def wait(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Return the first status for which ``true`` holds, checked after each change."""
        deadline = time.monotonic() + PATIENCE
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                text = self.output.read_text()
                raise AssertionError(f"daemon ended with {self.process.returncode}:\n{text}")
            with contextlib.suppress(IpcError, OSError):
                status = await self.status()
                if true(status):
                    return status
            await asyncio.sleep(0.02)
        text = self.output.read_text()
        raise AssertionError(f"not so within {PATIENCE:g} s: {json.dumps(status)}\n{text}")

    async def wait_phase(self, key: str, phase: str) -> dict[str, Any]:
        """Return the row of ``key`` once it is in ``phase``."""
        status = await self.wait(lambda s: s["accounts"].get(key, {}).get("phase") == phase)
        return dict(status["accounts"][key])

    def cli(self, *args: str, stdin: str = "", timeout: float = 60.0) -> tuple[int, str, str]:
        """Run the command line; return exit code, stdout, stderr."""
        command = [*self.prefix, *CLI, *args]
        done = subprocess.run(
            command, env=self.env, input=stdin, capture_output=True, text=True, timeout=timeout
        )
        return done.returncode, done.stdout, done.stderr

    async def command(self, *args: str, stdin: str = "") -> tuple[int, str, str]:
        """Run the command line beside the test; return exit code, stdout, stderr."""
        return await asyncio.to_thread(self.cli, *args, stdin=stdin)
