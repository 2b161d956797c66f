"""The real command line in a loop, while the gateway is restarted again and again."""

from __future__ import annotations

import asyncio

import pytest

from tests.interop.cron_loop import CronLoop
from tests.interop.openclaw import Answer, Openclaw
from tests.support.daemon import Daemon
from tests.support.restarts import restart_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

RESTARTS = 5
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


async def test_no_command_fails_over_restarts(own_openclaw: Openclaw, own_daemon: Daemon) -> None:
    answers: list[Answer] = []
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(LOOPS):
            group.create_task(_in_a_loop(own_openclaw, number, answers, done))
        for _ in range(RESTARTS):
            await restart_gateway(own_daemon)
            await asyncio.sleep(PAUSE)
        done.set()
    failed = [answer for answer in answers if answer.code != 0]
    print(f"\n{RESTARTS} restarts: {len(answers)} commands, {len(failed)} failed")
    assert not failed, failed[0]
    assert len(answers) >= LOOPS


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
async def test_no_cron_list_fails_over_restarts_and_kills(
    own_openclaw: Openclaw, own_daemon: Daemon
) -> None:
    loop = CronLoop(own_openclaw, own_daemon, calls=500)
    await loop.run(restarts=20, kills=20)
    assert (len(loop.answers), loop.restarts, loop.kills) == (500, 20, 20)
    assert not loop.failed, loop.failed[0]
    assert loop.aimed >= 30, "the blows missed the calls"
