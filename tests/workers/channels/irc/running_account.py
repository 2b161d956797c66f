"""Run an IRC account in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from tests.support.context import RecordingContext
from tests.support.irc_server import HOST
from workers.channels.irc.config import IrcConfig
from workers.channels.irc.plugin import Irc
from workers.messages import Outbound, Sent

QUICK = {"floodBurst": 20, "floodRate": 20, "rejoinSeconds": 0.2, "regainSeconds": 0.3}
_keys = itertools.count()


class RunningAccount:
    """A running account: its context, its plugin, and the task that runs it."""

    def __init__(self, ctx: RecordingContext, plugin: Irc, task: asyncio.Task[None]) -> None:
        self.ctx = ctx
        self.plugin = plugin
        self.task = task

    async def say(self, to: str, text: str, *, action: bool = False) -> Sent:
        key = f"key-{next(_keys)}"
        return await self.plugin.send(Outbound(to=to, text=text, key=key, action=action))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        if not self.task.cancelled():
            self.task.exception()  # seen: the test that wants it asks for it


def config(**fields: Any) -> IrcConfig:
    """Return a configuration with the fields as they stand in a file."""
    return msgspec.convert({"nick": "tester", "server": HOST, "tls": False, **fields}, IrcConfig)


@contextlib.asynccontextmanager
async def account(
    directory: Path, port: int, *, ready: bool = True, **fields: Any
) -> AsyncIterator[RunningAccount]:
    """Run an account until the block ends, which it enters once the account is ready."""
    ctx = RecordingContext(config(port=port, **{**QUICK, **fields}), directory)
    plugin = Irc(ctx)
    task = asyncio.create_task(plugin.run())
    task.add_done_callback(lambda done: ctx.end(_reason(done)))
    running = RunningAccount(ctx, plugin, task)
    try:
        if ready:
            await ctx.until_ready()
        yield running
    finally:
        await running.stop()


def _reason(task: asyncio.Task[None]) -> str:
    return "cancelled" if task.cancelled() else repr(task.exception())
