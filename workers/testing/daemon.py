"""Runs a real daemon for tests: supervisor, gateway and one account, in its own directory."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from ipc.errors import IpcError
from ipc.websocket.client import Client
from workers.testing.loop_thread import PATIENCE, PAUSE
from workers.testing.ports import free_port

_OPEN = {"dmPolicy": "open", "groupPolicy": "open"}  # who may talk is not the channel's matter
TOKEN = "token-of-the-testing-kit"  # noqa: S105 - of a gateway on this host, for a test
COMMAND = [sys.executable, "-c", "from ops.cli.entry import main; main()", "up"]
GRACE = 3.0  # seconds that an account has to stop
# The same policy as ever, quicker: tests see many starts.
RESTART = {
    "initialSeconds": 0.2,
    "maximumSeconds": 5.0,
    "jitter": 0.0,
    "healthyAfterSeconds": 0.1,
    "slowAfter": 1000,
    "readyWithinSeconds": 60.0,
    "stopWithinSeconds": GRACE,
}
SUPERVISOR = {
    "restart": RESTART,
    "beatSeconds": 1.0,
    "suspectAfterSeconds": 4.0,
    "silentAfterSeconds": 8.0,
}


class TestDaemon:
    """A daemon. ``modules`` is a directory for its import path, before all others."""

    __test__ = False  # of pytest: no test, whatever its name

    def __init__(self, channel: str, account_id: str) -> None:
        self._made = tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp")
        self.directory = Path(self._made.name)
        self.modules = self.directory / "modules"
        self.modules.mkdir()
        self.state_dir, self.run_dir = self.directory / "state", self.directory / "run"
        self.output = self.directory / "output.txt"
        self.port = free_port()
        self.key = f"{channel}:{account_id}"
        self.storage = self.state_dir / "accounts" / self.key
        self._config = self.directory / "trunkline.json5"
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None

    @property
    def ingress_url(self) -> str:
        """The address below which HTTP requests reach the account."""
        return f"http://127.0.0.1:{self.port}/channels/{self.key.replace(':', '/')}"

    def configure(self, fields: Mapping[str, Any]) -> None:
        """Write the configuration with the fields of the account."""
        channel, _, account = self.key.partition(":")
        whole = {
            "gateway": {"port": self.port, "auth": {"token": TOKEN}},
            "supervisor": SUPERVISOR,
            "agents": {"default": "none"},
            "channels": {
                channel: {"accounts": {account: _OPEN | {"journal": "on"} | dict(fields)}}
            },
        }
        self._config.write_bytes(msgspec.json.encode(whole))
        self._config.chmod(0o600)

    async def start(self) -> None:
        """Start it, and wait until its gateway answers."""
        paths = [str(self.modules), *filter(None, sys.path)]
        environment = os.environ | {
            "TRUNKLINE_STATE_DIR": str(self.state_dir),
            "TRUNKLINE_CONFIG_PATH": str(self._config),
            "TRUNKLINE_RUNTIME_DIR": str(self.run_dir),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        with self.output.open("ab") as out:
            self._process = await asyncio.to_thread(
                subprocess.Popen,
                COMMAND,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        await self.until(lambda status: status["gateway"]["connected"], "the gateway answers")

    async def close(self) -> None:
        """End it, and remove its directory."""
        await self._hang_up()
        process, self._process = self._process, None
        try:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGINT)
                await asyncio.to_thread(self._reap, process)
        finally:
            self._made.cleanup()

    async def kill(self) -> None:
        """Kill the supervisor with SIGKILL."""
        assert self._process is not None
        await self._hang_up()
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    def family(self) -> list[psutil.Process]:
        """Return all processes that it has started."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children(recursive=True)

    async def call(self, method: str, **params: Any) -> Any:
        """Ask the supervisor."""
        if self._client is None or not self._client.usable:
            await self._hang_up()
            self._client = await Client.connect(unix=self.run_dir / "cli.sock")
        return await self._client.call(method, params)

    async def status(self) -> dict[str, Any]:
        """Return the whole status, as ``trunkline status --json`` prints it."""
        return dict(await self.call("supervisor.status"))

    async def row(self) -> dict[str, Any]:
        """Return the account's row of the status."""
        rows = (await self.status())["accounts"]
        return next((dict(row) for row in rows if row["account"] == self.key), {})

    async def until(self, true: Any, sentence: str, within: float = PATIENCE) -> dict[str, Any]:
        """Return the first status for which ``true`` holds.

        Raises ``AssertionError`` with ``sentence``, what should be, and what is instead.
        """
        loop = asyncio.get_running_loop()
        deadline, status = loop.time() + within, dict[str, Any]()
        while loop.time() < deadline:
            if self._process is not None and self._process.poll() is not None:
                code = self._process.returncode
                raise AssertionError(f"the daemon ended with {code}: {self.printed()}")
            with suppress(IpcError, OSError):
                status = await self.status()
                if true(status):
                    return status
            await asyncio.sleep(PAUSE)
        raise AssertionError(
            f"not so after {within:g} s: {sentence}. "
            f"{_describe_row(status, self.key)}\n{self.printed()}"
        )

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the daemon did not end: {self.printed()}") from None

    def printed(self) -> str:
        """Return what the daemon has printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _describe_row(status: Mapping[str, Any], key: str) -> str:
    for row in status.get("accounts", ()):
        if row["account"] == key:
            seen = ("phase", "cause", "failures", "lastError", "lastExit", "plugin")
            return ", ".join(f"{name}: {row.get(name)}" for name in seen)
    return "there is no status"
