"""Injects faults on request into accounts of ``telegram``, inside the usual plugin.

``install`` copies this file as ``sitecustomize``, which every interpreter of the daemon imports at
its start: when the plugin of ``telegram`` is imported its ``send`` is replaced by one that takes
orders: ``order block SECONDS`` (``time.sleep`` on the event loop), ``order leak MIB_PER_SECOND``,
``order flood`` (messages as fast as ``emit`` allows). It imports nothing of ours before that.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

PLUGIN = "workers.channels.telegram.plugin"
TEXT = "x" * 200
_kept: list[Any] = []  # what must not be collected: leaked memory, running tasks


class _Finder:
    """An import hook that finds the plugin in the usual way, and patches it after its import."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Return the module's spec (importlib.abc.MetaPathFinder)."""
        if name != PLUGIN:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_spoil(module: Any) -> None:
            execute(module)
            _spoil(module)

        loader.exec_module = execute_and_spoil
        return spec


def _spoil(module: Any) -> None:
    plugin = module.Telegram
    send = plugin.send

    async def obey(self: Any, message: Any) -> Any:
        order, _, rest = message.text.partition(" ")
        if order != "order":
            return await send(self, message)
        _begin(self.ctx, *rest.split())
        return module.Sent(id=message.key, chat=message.to, ts=1)

    plugin.send = obey


def _begin(ctx: Any, fault: str, value: str = "0") -> None:
    loop = asyncio.get_running_loop()
    if fault == "block":
        loop.call_later(0.01, time.sleep, float(value))  # after this is answered
    elif fault == "leak":
        _kept.append(loop.create_task(_leak(float(value))))
    else:
        _kept.append(loop.create_task(_flood(ctx)))


async def _leak(rate: float) -> None:
    while True:
        _kept.append(os.urandom(int(rate * 2**20 / 100)))
        await asyncio.sleep(0.01)


async def _flood(ctx: Any) -> None:
    from workers.messages import Chat, Inbound, Sender

    born = time.time_ns()
    for number in itertools.count(1):
        chat, sender = Chat(id="7", kind="direct"), Sender(id="7", name="Ada")
        await ctx.emit(Inbound(f"{born:x}/{number}", chat, sender, TEXT, born // 1_000_000))


def install(directory: Path) -> None:
    """Copy this file into a folder that is on PYTHONPATH."""
    shutil.copyfile(__file__, directory / "sitecustomize.py")


if __name__ == "sitecustomize":
    sys.meta_path.insert(0, _Finder())
