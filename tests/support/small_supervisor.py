"""A supervisor of three processes that prints their pids and waits to be killed."""

from __future__ import annotations

import asyncio

from runtime.supervisor.processes.launcher import Launcher
from runtime.supervisor.processes.process import Spec
from runtime.zygote.prctl import set_subreaper


async def main() -> None:
    set_subreaper()
    launcher = Launcher(run_id="small")
    launcher.start()
    target = "tests.support.targets"
    specs = [
        Spec("test:polite#1", f"{target}:stop_politely", b""),
        Spec("test:deaf#2", f"{target}:be_deaf", b""),
        Spec("test:exec#3", f"{target}:be_deaf", b"", launcher="exec"),
    ]
    pids = [(await launcher.spawn(spec)).pid for spec in specs]
    print(launcher.zygote_pid, *pids, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
