"""Where the answers of jobs go, and whether they came."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from msgspec import UNSET

from ipc.epoch import now_ms
from runtime.config.timers import CronConfig
from runtime.gateway.cron.delivering import INSTRUCTIONS, run_for
from runtime.gateway.cron.job_types import AgentTurnPayload
from runtime.gateway.outbox.outbox import Outbox
from runtime.gateway.outbox.previews import answer_key
from tests.support.gateway_rig import row
from tests.support.timers import timer_rig
from tests.support.until import until


def test_a_turn_has_what_its_job_says_and_is_told_that_nobody_is_there() -> None:
    payload = AgentTurnPayload(message="look", model="m", thinking=None, timeout_seconds=2)
    run = run_for(payload, "r", "agent:a:cron:j", "a", 1000, None)
    assert (run.request.text, run.deadline, run.agent) == ("look", 3000, "a")
    assert run.request.fields == {"instructions": INSTRUCTIONS, "model": "m"}
    plain = run_for(AgentTurnPayload(message="look", model=UNSET), "r", "s", "a", 1, None)
    assert (plain.deadline, "model" in plain.request.fields) == (0, False)


async def test_an_answer_is_posted_and_a_failure_of_that_is_one_of_the_run() -> None:
    came: list[Any] = []

    async def take(request: web.BaseRequest) -> web.Response:
        came.append(await request.json())
        return web.Response(status=200 if len(came) == 1 else 500)

    server = web.Server(take)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    try:
        async with timer_rig() as rig:
            timers = await rig.timers()
            timers.configure(CronConfig(allow_private=True))
            job = await rig.add(timers, delivery={"mode": "webhook", "to": url})
            for number in (1, 2):
                await timers.scheduler.begin(timers.scheduler.jobs[job.id], f"run-{number}")
                await until(lambda number=number: len(rig.agent.asked) == number)  # type: ignore[misc]
                rig.agent.answers("news")
                await until(lambda: timers.scheduler.in_flight == 0)
            bad, good = timers.scheduler.log.of(job.id)
            assert (good.status, good.delivery_status) == ("ok", "delivered")
            assert (bad.status, bad.error) == ("error", "the webhook answered 500")
            assert (came[0]["jobId"], came[0]["summary"], came[0]["runId"]) == (
                job.id,
                "news",
                "run-1",
            )
    finally:
        listening.close()
        await server.shutdown(0.1)


async def test_a_run_ends_although_its_account_is_removed_before_the_answer_is_sent() -> None:
    async with timer_rig() as rig:
        await rig.rig.report(row("irc:libera", journal="on"))
        rig.now = now_ms()  # an answer to a chat that is older would not be begun
        timers = await rig.timers()
        target = {"mode": "announce", "channel": "irc", "to": "ada"}
        job = await rig.add(timers, delivery=target)
        await timers.scheduler.begin(job, "run")
        await until(lambda: rig.agent.asked)
        rig.agent.answers("news")
        outbox = rig.rig.parts.outbox
        await until(lambda: _is_awaited(outbox, answer_key("run")))
        await rig.rig.report(removed=["irc:libera"])
        await until(lambda: timers.scheduler.in_flight == 0)
        (entry,) = timers.scheduler.log.of(job.id)
        assert (entry.status, entry.error) == ("error", "irc:libera is not known any more")


def _is_awaited(outbox: Outbox, key: str) -> bool:
    account = outbox.accounts.get("irc:libera")
    entry = None if account is None else account.entries.get(key)
    return entry is not None and bool(entry.ended)
