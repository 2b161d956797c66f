"""Checks that the zygote forks working children, and repairs it.

What it has imported for all may break whatever is forked later, and then every account and the
gateway fail, whichever library they use. A child that has nothing to do shows it: it ends well,
or the zygote is replaced and its modules are tried one by one. Running processes are not touched.
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
    """Checks the zygote of one launcher. ``harmful`` are modules it must not import any more."""

    def __init__(self, launcher: Launcher) -> None:
        self.harmful: set[str] = set()
        self._launcher = launcher

    @property
    def warnings(self) -> list[str]:
        """One sentence for each module that is kept out of the zygote."""
        return [
            f"{module} breaks what the zygote forks: each of its accounts imports it alone now"
            for module in sorted(self.harmful)
        ]

    async def replace(self, modules: Iterable[str]) -> None:
        """Replace the zygote by one that imports ``modules``, without the harmful ones."""
        await self._launcher.replace([each for each in modules if each not in self.harmful])

    async def repair(self) -> str | None:
        """Check the zygote and replace it if it is broken; return what was wrong, or ``None``.

        Where the supervisor itself lacks files or memory, nothing can be learnt of the zygote.
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
        trouble = await self._probe()
        if trouble is None:
            return None
        log.error("the zygote makes no sound children", why=trouble)
        await self._launcher.replace([])
        if again := await self._probe():
            await self._launcher.replace(modules)  # they are not what is wrong
            return f"no process can be started: {again}"
        await self._try(modules)
        if self.harmful & set(modules):
            named = ", ".join(sorted(self.harmful & set(modules)))
            return f"the zygote was broken by {named} ({trouble}); it was replaced without"
        return f"the zygote was broken ({trouble}); it was replaced"

    async def _try(self, modules: list[str]) -> None:
        """Try the modules one by one; keep those whose zygote forks working children."""
        good: list[str] = []
        for module in modules:
            await self._launcher.replace([*good, module])
            trouble = await self._probe()
            # A launcher whose zygote died or hung has given up its modules by itself.
            if trouble is None and self._launcher.modules == [*good, module]:
                good.append(module)
            else:
                self.harmful.add(module)
        if self._launcher.modules != good:
            await self._launcher.replace(good)

    async def _probe(self) -> str | None:
        """Fork a child that does nothing; return what is wrong with it.

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
    """Return how a child ended; one that does not end by itself is killed."""
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
