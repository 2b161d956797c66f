"""A person is told once that a job fails again and again."""

from __future__ import annotations

from typing import Any

import msgspec

from ipc.frames.data import Call
from runtime.gateway.conversations.error_texts import TEXTS
from tests.support.rig_agent import delivered
from tests.support.timers import timer_rig
from tests.support.until import until
from workers.agent import TurnOutcome


async def test_failures_in_a_row_are_told_in_the_chat_of_the_alert_once() -> None:
    async with timer_rig() as rig:
        account = await rig.rig.worker("irc:libera", journal="on")
        said: list[Any] = []

        def deliver(call: Call) -> Any:
            said.append(msgspec.json.decode(call.params)["message"])
            return delivered(call)

        account.on_call = deliver
        timers = await rig.timers()
        alert = {"after": 2, "channel": "irc", "to": "ada"}
        job = await rig.add(timers, failureAlert=alert)
        for number in (1, 2, 3):
            await timers.scheduler.begin(timers.scheduler.jobs[job.id], f"run-{number}")
            await until(lambda number=number: len(rig.agent.asked) == number)  # type: ignore[misc]
            rig.agent.ends(TurnOutcome("error", kind="refused", error="secret-stderr"))
            await until(lambda: timers.scheduler.in_flight == 0)
        await until(lambda: said)
        assert [(each["to"], each["text"].splitlines()[0]) for each in said] == [
            ("ada", 'Cron job "job" failed 2 times in a row.')
        ]
        assert "secret-stderr" not in str(said)
        assert timers.scheduler.jobs[job.id].state.last_error == TEXTS["refused"].text
