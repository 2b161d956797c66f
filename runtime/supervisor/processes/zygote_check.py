"""Checks that the zygote forks working children, and repairs it.

A library that it has imported may break every process forked later, so that all accounts and the
gateway fail. A test child shows this: if it does not exit normally, the zygote is replaced and its
modules are tried one by one. Running processes are not affected.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable

import structlog

from runtime.supervisor.lifecycle import Exit
from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import SpawnedProcess, SpawnError, SpawnShortage, Spec

TARGET = "runtime.zygote.child:nothing"
WITHIN = 10.0  # seconds for a child that has nothing to do, on a busy host

log = structlog.get_logger("zygote")


class ZygoteCheck:
    """Checks the zygote of one launcher; ``harmful`` are modules that it no longer imports."""

    def __init__(self, launcher: Launcher) -> None:
        self.harmful: set[str] = set()
        self._launcher = launcher

    @property
    def warnings(self) -> list[str]:
        """Warnings for modules that are kept out of the zygote, one sentence each."""
        return [
            f"{module} breaks processes forked after it: each of its accounts imports it alone now"
            for module in sorted(self.harmful)
        ]

    async def replace(self, modules: Iterable[str]) -> None:
        """Replace the zygote by one that imports ``modules``, without the harmful ones."""
        await self._launcher.replace([each for each in modules if each not in self.harmful])

    async def repair(self) -> str | None:
        """Check the zygote and replace it if it is broken; return what was wrong, if anything.

        If the supervisor itself lacks files or memory, the zygote cannot be checked.
        """
        modules = list(self._launcher.modules)
        try:
            return await self._repair(modules)
        except (SpawnShortage, OSError) as error:
            wanted = [each for each in modules if each not in self.harmful]
            if self._launcher.modules != wanted:
                with contextlib.suppress(OSError):  # the next start tries to make one again
                    await self._launcher.replace(wanted)
            return f"no process can be started: {error}"

    async def _repair(self, modules: list[str]) -> str | None:
        failure = await self._probe()
        if failure is None:
            return None
        log.error("children of the zygote do not survive", why=failure)
        await self._launcher.replace([])
        if again := await self._probe():
            await self._launcher.replace(modules)  # they are not what is wrong
            return f"no process can be started: {again}"
        await self._find_harmful(modules)
        if self.harmful & set(modules):
            named = ", ".join(sorted(self.harmful & set(modules)))
            return f"the zygote was broken by {named} ({failure}); it was replaced without"
        return f"the zygote was broken ({failure}); it was replaced"

    async def _find_harmful(self, modules: list[str]) -> None:
        """Try the modules one by one; keep those whose zygote forks working children."""
        good: list[str] = []
        for module in modules:
            await self._launcher.replace([*good, module])
            failure = await self._probe()
            # A launcher whose zygote died or hung has given up its modules by itself.
            if failure is None and self._launcher.modules == [*good, module]:
                good.append(module)
            else:
                self.harmful.add(module)
        if self._launcher.modules != good:
            await self._launcher.replace(good)

    async def _probe(self) -> str | None:
        """Fork a test child; return what is wrong with it, or ``None``.

        Raises ``SpawnShortage``.
        """
        try:
            process = await self._launcher.spawn(Spec(name="probe#0", target=TARGET, payload=b""))
        except SpawnShortage:
            raise
        except SpawnError as error:
            return str(error)
        how = await _end_of(process)
        return None if how.code == 0 else f"a child of it {how}"


async def _end_of(process: SpawnedProcess) -> Exit:
    """Wait for a child's end and return it; kill a child that does not end in time."""
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
