"""A whole supervisor with fake children: real parts, sockets and files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ipc.frames.status import Status
from ipc.frames.words import Phase
from ipc.websocket.client import Client
from runtime.config.load import Loaded, load_text
from runtime.config.places import Places
from runtime.supervisor import status
from runtime.supervisor.api.table import dispatch
from runtime.supervisor.assembly import Setting
from runtime.supervisor.parts import Parts
from runtime.supervisor.reload import apply_config
from runtime.supervisor.supervisor import Supervisor
from tests.support.players import PlayedLauncher, PlayedLogs
from tests.support.short_directory import ShortDirectory
from tests.support.until import PATIENCE, until

QUICK = {"initialSeconds": 0.05, "maximumSeconds": 1.0, "stopWithinSeconds": 1.0, "jitter": 0}


class SupervisorRig:
    """A supervisor with fake children, and its files in a directory of its own.

    ``accounts`` and ``own`` are those of the channel ``local`` and of the section ``supervisor``
    in the configuration that is read next.
    """

    def __init__(self, directory: Path, accounts: dict[str, Any], own: dict[str, Any]) -> None:
        self.directory = directory
        self.accounts = accounts
        self.own = own
        self.launcher: Any = PlayedLauncher()
        self.logs: Any = PlayedLogs()
        self.ups = 0
        self.on_up: Callable[[], None] = lambda: None
        self.config_error: Exception | None = None
        run_dir = directory / "run"
        self.places = Places(directory, directory / "c.json5", run_dir, directory / "logs", None)
        self.port = 0
        self.read = 0  # how often the configuration was
        self.supervisor = self.make()

    @property
    def parts(self) -> Parts:
        return self.supervisor.parts

    def load(self, text: str | None = None) -> Loaded:
        self.read += 1
        if self.config_error is not None:
            raise self.config_error
        config = {
            "gateway": {"auth": {"token": "t"}, "reload": {"mode": "hot"}},
            "channels": {"local": {"accounts": self.accounts}},
            "supervisor": {"restart": QUICK, **self.own},
        }
        return load_text(self.places.config_path, text or json.dumps(config))

    def make(self, *, force: bool = False) -> Supervisor:
        """Return another supervisor for the same place."""
        setting = Setting("1.2", "127.0.0.1", self.port, self.load, force=force)
        instance: Any = SimpleNamespace(
            first_incarnation=100, boot=7, run_id="r", ensure_locks=list
        )
        return Supervisor(
            self.load(),
            self.places,
            setting,
            instance=instance,
            launcher=self.launcher,
            logs=self.logs,
        )

    def up(self) -> None:
        self.ups += 1
        self.on_up()

    def status(self) -> Status:
        return status.status(self.parts)

    def reload(self) -> dict[str, Any]:
        """Apply the current configuration."""
        return apply_config(self.parts, self.load())

    def phase(self, key: str) -> Phase:
        return self.parts.accounts[key].phase

    async def is_in(self, phase: Phase, *keys: str) -> None:
        await until(lambda: {self.phase(key) for key in keys} == {phase}, PATIENCE)

    async def client(self) -> Client:
        return await Client.connect(unix=self.places.run_dir / "cli.sock")

    async def ask(self, name: str, **params: Any) -> Any:
        return await dispatch(self.parts, name, params, remote=False)


@asynccontextmanager
async def running(*keys: str, **own: Any) -> AsyncIterator[SupervisorRig]:
    """Run a supervisor until its gateway is up; it ends as with Ctrl-C twice."""
    with ShortDirectory() as directory:
        rig = SupervisorRig(directory, {key.partition(":")[2]: {} for key in keys}, own)
        task = asyncio.create_task(rig.supervisor.run(rig.up))
        try:
            await until(lambda: task.done() or rig.ups, PATIENCE)
            yield rig
            assert not task.done(), task
        finally:
            rig.parts.shutdown.request("the test is over")
            rig.parts.shutdown.request("at once")
            assert await task == 0
        assert not any(child.alive for child in rig.launcher.children)
        assert list(rig.places.run_dir.iterdir()) == []


@asynccontextmanager
async def ending(*keys: str, **own: Any) -> AsyncIterator[tuple[SupervisorRig, asyncio.Task[int]]]:
    """Run a supervisor that the test itself ends."""
    with ShortDirectory() as directory:
        rig = SupervisorRig(directory, {key.partition(":")[2]: {} for key in keys}, own)
        task = asyncio.create_task(rig.supervisor.run(rig.up))
        await until(lambda: task.done() or rig.ups, PATIENCE)
        await rig.is_in(Phase.RUNNING, *keys)
        yield rig, task
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
