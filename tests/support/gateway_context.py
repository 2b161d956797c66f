"""The context that the supervisor gives to a gateway kind, with puppets and a real log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from ipc.frames.bootstrap import GatewayBoot
from runtime.config.storage_model import LoggingConfig
from runtime.supervisor.gateways.interface import GatewayContext, Reporter
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import Spec


class SpawnedPuppet:
    """A fake process that prints and ends as a test says."""

    pid = 999_999_999

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.signals: list[int | str] = []
        self.stdout, self._out = os.pipe()
        self.stderr, self._err = os.pipe()
        for fd in (self.stdout, self.stderr):
            os.set_blocking(fd, False)
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def complain(self, text: str) -> None:
        os.write(self._err, text.encode() + b"\n")

    def die(self, how: Exit) -> None:
        if not self._exit.done():
            os.close(self._out)
            os.close(self._err)
            self._exit.set_result(how)

    def terminate(self) -> None:
        self.signals.append("terminate")

    def kill(self) -> None:
        self.signals.append("kill")
        self.die(Exit(signal=9))

    def signal(self, number: int) -> None:
        self.signals.append(number)

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)


class GatewayContextRig:
    """A context, the processes spawned with it, and the reasons of requested restarts."""

    def __init__(self, directory: Path) -> None:
        self.spawned: list[SpawnedPuppet] = []
        self.respawns: list[str] = []
        self.canvas: dict[str, Any] = {}
        self.logs = LogStore(directory / "logs", LoggingConfig())
        self.context = GatewayContext(
            version="1",
            launcher=cast(Launcher, self),
            logs=self.logs,
            boot=self._boot,
            reporter=cast(Reporter, None),
            answer=self._answer,
            respawn=self.respawns.append,
        )

    async def spawn(self, spec: Spec) -> SpawnedPuppet:
        self.spawned.append(SpawnedPuppet(spec))
        return self.spawned[-1]

    def _boot(self, incarnation: int, token: str) -> GatewayBoot:
        return GatewayBoot(
            incarnation=incarnation,
            version="1",
            session_token=token,
            secret=b"",
            data="ipc://nowhere",
            gateway={},
            agents={},
            channels=[],
            state_dir="",
            config_path="",
            revision="r1",
            canvas=self.canvas,
        )

    async def _answer(self, method: str, params: Any, by: str | None = None) -> Any:
        return {}


@asynccontextmanager
async def gateway_context(directory: Path) -> AsyncIterator[GatewayContextRig]:
    rig = GatewayContextRig(directory)
    try:
        yield rig
    finally:
        for process in rig.spawned:
            process.die(Exit(code=0))
        rig.logs.close()
