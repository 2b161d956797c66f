"""A directory of installed test channels, with a real launcher and the channels' zygotes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipc.metrics import Series
from runtime.config.storage_model import LoggingConfig
from runtime.config.supervisor_model import AccountLimitsConfig
from runtime.supervisor.accounts.channel_zygotes import ChannelZygotes
from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.logs.store import LogStore
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.preloading import plan
from runtime.supervisor.processes.process import Spec
from runtime.zygote.prctl import set_subreaper
from tests.support.accounts import spec_of
from tests.support.spawned import line
from tests.support.until import PATIENCE
from workers.channels.local import manifest

NAME = "made_up"
LARGE = 400 << 20


class Site:
    """A directory of installed channels, a launcher, and the zygotes of those channels."""

    def __init__(self, directory: Path, launcher: Launcher) -> None:
        self.directory = directory
        self.launcher = launcher
        self.logs = LogStore(directory / "logs", LoggingConfig())
        self.tasks: set[asyncio.Task[Any]] = set()
        self.fds: list[int] = []  # the pipes of processes that were started
        self.zygotes = ChannelZygotes(plan([]), launcher, self.logs, self._start)

    def _start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        self.tasks.add(asyncio.create_task(work, name=name))

    def configure(self, **channels: int) -> None:
        """Configure so many accounts of each channel."""
        self.zygotes.apply(
            plan(
                spec_of(
                    f"{name}:{number}",
                    manifest=replace(manifest, id=name, plugin=f"{name}.plugin:Plugin"),
                    manifest_ref=f"{name}:manifest",
                    limits=AccountLimitsConfig(memory_soft_bytes=None, memory_hard_bytes=LARGE),
                )
                for name, count in channels.items()
                for number in range(count)
            )
        )

    async def run(self, key: str, target: str = "modules", payload: bytes = b"") -> Any:
        """Start a process of an account as the supervisor does; return it."""
        async with asyncio.timeout(PATIENCE):
            await self.zygotes.prepare(key)
            what = Spec(name=f"{key}#1", target=f"tests.support.targets:{target}", payload=payload)
            process = await self.zygotes.spawn(key, what)
        self.fds += [process.stdout, process.stderr]
        return process

    async def has_imported(self, key: str = f"{NAME}:0") -> str:
        """Return the version of the plugin that a new process has imported, or ``none``."""
        process = await self.run(key, "plugin_version", f"{key.partition(':')[0]}.plugin".encode())
        try:
            return await line(process.stdout)
        finally:
            assert await process.wait() == Exit(code=0)

    def pid(self, name: str = NAME) -> int:
        """Return the pid of the zygote of a channel."""
        zygote = self.zygotes._channels[name]._zygote  # its pid is no part of a status
        assert zygote is not None
        return zygote.pid

    def figures(self) -> dict[str, float]:
        """Return the figures of the channel, by name."""
        series: list[Series] = self.zygotes.series()
        return {
            each.name.removeprefix("trunkline_channel_"): value
            for each in series
            for labels, value in each.samples
            if labels == {"channel": NAME}
        }


@asynccontextmanager
async def site_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(sys, "path", [str(directory), *sys.path])
    set_subreaper()
    launcher = Launcher(run_id="run-of-the-test")
    launcher.start()
    site = Site(directory, launcher)
    try:
        yield site
    finally:
        for task in site.tasks:
            task.cancel()
        await asyncio.gather(*site.tasks, return_exceptions=True)
        await site.zygotes.close()
        for fd in site.fds:
            os.close(fd)
        site.logs.close()
        launcher.close()
