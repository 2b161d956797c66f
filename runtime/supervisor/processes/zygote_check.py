"""Looks whether the zygote still makes sound children, and makes it sound again.

What it has imported for all may break whatever is forked later, and then every account and the
gateway fail, whichever library they use. A child that has nothing to do tells: it ends well, or
the zygote is replaced, and its modules are tried one by one. Processes that live are not touched.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable

import structlog

from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes.process import Launcher, Process, SpawnError, Spec

TARGET = "runtime.zygote.server:nothing"
WITHIN = 10.0  # seconds for a child that has nothing to do, on a busy host

log = structlog.get_logger("zygote")


class Mender:
    """For one launcher. ``spoilt`` are modules that the zygote must not import any more."""

    def __init__(self, launcher: Launcher) -> None:
        self.spoilt: set[str] = set()
        self._launcher = launcher

    @property
    def warnings(self) -> list[str]:
        """Say what stays to be known while it works again."""
        return [
            f"{module} breaks what the zygote forks: each of its accounts imports it alone now"
            for module in sorted(self.spoilt)
        ]

    async def replace(self, modules: Iterable[str]) -> None:
        """Have the zygote import these, as far as they do no harm."""
        await self._launcher.replace([each for each in modules if each not in self.spoilt])

    async def mend(self) -> str | None:
        """Return what was wrong with the zygote, ``None`` when nothing was."""
        trouble = await self._trouble()
        if trouble is None:
            return None
        log.error("the zygote makes no sound children", why=trouble)
        modules = list(self._launcher.modules)
        await self._launcher.replace([])
        if again := await self._trouble():
            await self._launcher.replace(modules)  # they are not what is wrong
            return f"no process can be started: {again}"
        await self._try(modules)
        if self.spoilt & set(modules):
            named = ", ".join(sorted(self.spoilt & set(modules)))
            return f"the zygote was broken by {named} ({trouble}); it was replaced without"
        return f"the zygote was broken ({trouble}); it was replaced"

    async def _try(self, modules: list[str]) -> None:
        """Have a new zygote import those that do no harm."""
        good: list[str] = []
        for module in modules:
            await self._launcher.replace([*good, module])
            trouble = await self._trouble()
            # A launcher whose zygote died or hung has given up its modules by itself.
            if trouble is None and self._launcher.modules == [*good, module]:
                good.append(module)
            else:
                self.spoilt.add(module)
        if self._launcher.modules != good:
            await self._launcher.replace(good)

    async def _trouble(self) -> str | None:
        try:
            process = await self._launcher.spawn(Spec(name="probe#0", target=TARGET, payload=b""))
        except (SpawnError, OSError) as error:
            return str(error)
        how = await _end_of(process)
        return None if how.code == 0 else f"a child of it {how}"


async def _end_of(process: Process) -> Exit:
    """Return how a child ended, which is ended where it does not by itself."""
    ended = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({ended}, timeout=WITHIN)
    finally:
        if not ended.done():
            process.kill()
        how = await asyncio.shield(ended)
        for fd in (process.stdout, process.stderr):
            os.close(fd)
    return how
