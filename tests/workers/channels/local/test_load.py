"""The load source of ``local``: its rate, its order, and a worker that it leaves responsive."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ipc.frames import control
from tests.support.worker_rig import WorkerRig, worker_rig
from workers.channels.local import LocalConfig
from workers.channels.local.load import emit_forever
from workers.messages import Inbound

RATE = 500


@asynccontextmanager
async def load_source(run_dir: Path, **config: Any) -> AsyncIterator[WorkerRig]:
    async with worker_rig(run_dir) as rig:
        rig.start("workers.channels.local:manifest", key="local:demo", config=config)
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        yield rig


async def heard(rig: WorkerRig, count: int) -> list[dict[str, Any]]:
    await rig.gateway.heard(count)
    return [json.loads(each.payload)["message"] for each in rig.gateway.accepted]


async def test_the_load_is_never_faster_than_its_rate(run_dir: Path) -> None:
    began = time.monotonic_ns()
    async with load_source(run_dir, rate=RATE, payloadBytes=50) as rig:
        messages = await heard(rig, 200)
    emitted = [int(each["text"].split()[1]) for each in messages]
    for number, at in enumerate(emitted, 1):
        assert at - began >= number / RATE * 1e9 - 2e6, number  # a loop's clock counts in ms
    assert emitted == sorted(emitted)
    assert emitted[-1] < time.monotonic_ns()


async def test_its_messages_are_numbered_padded_and_by_a_bot(run_dir: Path) -> None:
    async with load_source(run_dir, rate=RATE, payloadBytes=50) as rig:
        messages = await heard(rig, 20)
    assert [int(each["text"].split()[0]) for each in messages[:20]] == list(range(1, 21))
    assert {len(each["text"]) for each in messages} == {50}
    assert messages[0]["sender"]["bot"] is True


async def test_without_a_limit_it_emits_as_fast_as_it_may(run_dir: Path) -> None:
    async with load_source(run_dir, rate=-1) as rig:
        messages = await heard(rig, 5_000)
        numbers = [int(each["text"].split()[0]) for each in messages]
        assert numbers == list(range(1, len(numbers) + 1))
        assert await rig.stop() == 0
        assert rig.gateway.last >= 5_000


async def test_a_load_source_can_be_talked_to(run_dir: Path) -> None:
    async with load_source(run_dir, rate=1) as rig:
        _, writer = await asyncio.open_unix_connection(run_dir / "local-demo.sock")
        writer.write(b"still there?\n")
        await rig.gateway.until(lambda: "still there?" in rig.gateway.texts())
        writer.close()
        await writer.wait_closed()


async def test_it_waits_for_a_worker_that_takes_nothing() -> None:
    """Back-pressure: what ``emit`` holds up is not emitted from elsewhere."""
    taken: list[Inbound] = []

    async def emit(message: Inbound) -> None:
        taken.append(message)
        if len(taken) == 3:
            await asyncio.Event().wait()

    ids = (str(number) for number in count(1))
    config = LocalConfig(rate=-1)
    speaking = asyncio.create_task(emit_forever(emit, lambda: next(ids), config))
    for _ in range(10):
        await asyncio.sleep(0)
    assert [message.id for message in taken] == ["1", "2", "3"]
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
