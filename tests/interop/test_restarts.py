"""The real command line in a loop, while the gateway is restarted again and again."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.interop.openclaw import Answer, Openclaw
from tests.support.daemon import Daemon
from tests.support.restarts import kill_gateway, restart_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LOOPS = 2  # command lines at a time: as many as there are cores
PAUSE = 0.3  # seconds between two restarts


async def _in_a_loop(
    openclaw: Openclaw, number: int, answers: list[Answer], done: asyncio.Event
) -> None:
    while not done.is_set():
        if number % 2:
            answers.append(await openclaw.run("cron", "list", "--json", *openclaw.flags))
        else:
            answers.append(await openclaw.call("health"))


@pytest.mark.parametrize(
    "restarts", [5, pytest.param(50, marks=pytest.mark.slow)], ids=["few", "many"]
)
async def test_no_command_fails(own_openclaw: Openclaw, own_daemon: Daemon, restarts: int) -> None:
    answers: list[Answer] = []
    done = asyncio.Event()
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(LOOPS):
            group.create_task(_in_a_loop(own_openclaw, number, answers, done))
        for _ in range(restarts):
            await restart_gateway(own_daemon)
            await asyncio.sleep(PAUSE)
        done.set()
    failed = [answer for answer in answers if answer.code != 0]
    seconds = time.monotonic() - began
    print(
        f"\n{restarts} restarts in {seconds:.0f} s: {len(answers)} commands, {len(failed)} failed"
    )
    assert not failed, failed[0]
    assert len(answers) >= LOOPS


@pytest.mark.slow
async def test_a_kill_costs_no_command(own_openclaw: Openclaw, own_daemon: Daemon) -> None:
    answers: list[Answer] = []
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(LOOPS):
            group.create_task(_in_a_loop(own_openclaw, number, answers, done))
        for _ in range(10):
            await kill_gateway(own_daemon)
            await asyncio.sleep(PAUSE)
        done.set()
    failed = [answer for answer in answers if answer.code != 0]
    print(f"\n10 kills: {len(answers)} commands, {len(failed)} failed")
    assert not failed, failed[0]
    assert len(answers) >= LOOPS
