"""Runs each fault in the faulty account of a channel, after a calm window for comparison."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

from bench.measuring.rows import up
from bench.siblings.agents import AGENT, going_wrong
from bench.siblings.rig import BAD, SLOW, Seen, SiblingRig, config

LEAK = 50  # MiB a second: at its limit after two, and started again
SETTLE = 2.0  # seconds after what was wrong is mended
STARTS = 2  # of each channel's account in a calm window, at the least

Fault = Callable[[SiblingRig, str, float], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault of a channel's account, and the measurements of siblings before and during it."""

    fault: str
    channel: str
    calm: Seen
    bad: Seen
    restarts: int  # of accounts that talk
    missing: int  # of their messages


@asynccontextmanager
async def blocked(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
    """Block the event loop by ``time.sleep``."""
    word = "hang=" if channel == "source" else "order block "
    await rig.order(channel, f"{word}{seconds:g}")
    yield
    await rig.replace(channel)


@asynccontextmanager
async def frozen(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
    """Stop the process by SIGSTOP."""
    pid = rig.rows.newest[f"{channel}:{BAD}"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
    await rig.replace(channel)


@asynccontextmanager
async def leaking(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
    """Leak memory up to the limit, repeatedly."""
    task = asyncio.create_task(_leak(rig, channel))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await rig.replace(channel)


async def _leak(rig: SiblingRig, channel: str) -> None:
    word = "leak=" if channel == "source" else "order leak "
    key, life = f"{channel}:{BAD}", -1
    while True:
        await rig.rows.until(key, up(after=life))
        life = rig.rows.newest[key]["incarnation"]
        await rig.order(channel, f"{word}{LEAK}")


@asynccontextmanager
async def flooding(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
    """Emit messages as fast as ``emit`` allows."""
    await rig.order(channel, "rate=-1 bytes=200" if channel == "source" else "order flood")
    yield
    await rig.replace(channel)


@asynccontextmanager
async def importing(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
    """Add accounts of a channel whose import keeps a core busy, and take them away again."""
    calm = config(rig.platforms)
    more = {**calm["channels"], SLOW: {"accounts": {"one": {}, "two": {}}}}
    rig.daemon.write({**calm, "channels": more})
    try:
        yield
        await rig.rows.until(f"{SLOW}:one", up())
    finally:
        rig.daemon.write(calm)
    await rig.daemon.wait(lambda status: f"{SLOW}:one" not in status["accounts"])


def agent_fault(name: str) -> Fault:
    """Return the fault of an agent that fails in each of its turns, as ``name`` says."""

    @asynccontextmanager
    async def play(rig: SiblingRig, channel: str, seconds: float) -> AsyncIterator[None]:
        async with going_wrong(rig.daemon, BAD, name):
            yield
        await rig.replace(channel)

    return play


FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "blocked": (blocked, ("source", "telegram")),
    "frozen": (frozen, ("source", "telegram")),
    "leaking": (leaking, ("source", "telegram")),
    "flooding": (flooding, ("source", "telegram")),
    "importing": (importing, (SLOW,)),
    "agent hangs": (agent_fault("blocks"), (AGENT,)),
    "agent floods": (agent_fault("floods"), (AGENT,)),
    "agent leaks": (agent_fault("leaks"), (AGENT,)),
    "agent dies": (agent_fault("dies_answering"), (AGENT,)),
}


async def attempt(rig: SiblingRig, fault: str, channel: str, seconds: float) -> Trial:
    """Observe accounts without a fault, then the same ones during a fault of ``seconds``."""
    quiet = seconds * 0.6  # the rest is for starts
    loop, play = asyncio.get_running_loop(), FAULTS[fault][0]
    await asyncio.sleep(SETTLE)
    lives, missing = rig.lives(), rig.missing
    calm = await rig.observe(quiet, 0.0, STARTS)
    async with play(rig, channel, seconds):
        bad = await rig.observe(quiet, loop.time() + seconds, 1)
    now = rig.lives()
    restarts = sum(now[key] != lives[key] for key in lives)
    return Trial(fault, channel, calm, bad, restarts, rig.missing - missing)
