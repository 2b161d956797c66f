"""Hours of crashes, on a clock that jumps: what the supervisor keeps of them stays the same."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ipc.frames.control import Beat
from ipc.frames.words import Phase
from runtime.supervisor.accounts.account import Account
from runtime.supervisor.accounts.history import History
from runtime.supervisor.lifecycle import Exit, Ready, Start
from runtime.supervisor.logs.recent import RecentLog
from tests.support.accounts import Stage, account_of, living, spec_of
from tests.support.until import until

pytestmark = pytest.mark.virtual_time

HOUR = 3600.0
ACCOUNTS = 6
KEPT = 16 * 1024  # bytes of the recent log, so that it is full soon
ALLOWED = 48 * 1024  # bytes: lists and tables that grow by steps


def beat(number: int) -> Beat:
    numbers = ("rss_bytes", "fds", "queued", "queued_bytes", "emitted", "acked")
    values: dict[str, Any] = dict.fromkeys((*numbers, "messages_in", "messages_out"), number)
    return Beat(lag=0.0, cpu=float(number), dropped={"late": number}, **values)


async def _crash(account: Account, stage: Stage, chance: random.Random, recent: RecentLog) -> None:
    """Let an account run for a while and die, for ever."""
    loop = asyncio.get_running_loop()
    account.child.post(Start())
    while True:
        await account.wait_until(lambda state: state.phase is Phase.STARTING, None)
        await until(lambda: account.child.process is not None)
        account.child.post(Ready(account.child.state.incarnation))
        for number in range(chance.randrange(1, 9)):
            await asyncio.sleep(chance.uniform(1.0, 60.0))
            account.on_beat(beat(number), loop.time())
            account.on_frame(loop.time())
        for _ in range(100):
            recent.add(f"line {chance.random()} of {account.key}")
        account.status()
        stage.turns.clear()
        stage.puppets.pop().die(Exit(signal=9, text=f"died {chance.random()}"))
        await account.wait_until(lambda state: state.phase is Phase.BACKOFF, None)


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_ten_hours_of_crashes_leave_nothing_behind(tmp_path: Path) -> None:
    history, recent = History(tmp_path / "history.jsonl"), RecentLog(keep_bytes=KEPT)
    tracemalloc.start()
    try:
        async with AsyncExitStack() as stack:
            tasks = []
            for number in range(ACCOUNTS):
                stage, spec = Stage(), spec_of(f"local:a{number}")
                account = account_of(stage, spec, on_event=history.add)
                await stack.enter_async_context(living(account))
                work = _crash(account, stage, random.Random(number), recent)
                tasks.append(asyncio.create_task(work))
            await asyncio.sleep(3 * HOUR)  # by then each has more events than are kept
            early = traced()
            await asyncio.sleep(7 * HOUR)
            grown = traced() - early
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    finally:
        tracemalloc.stop()
        history.close()
    assert min(len(history.of(f"local:a{number}")) for number in range(ACCOUNTS)) == 50
    assert grown < ALLOWED, f"{grown / 1024:.0f} KiB more after ten hours than after three"
