"""Heartbeats come when they are due, one at a time, and their answers go where they should."""

from __future__ import annotations

from msgspec.structs import replace

from runtime.config.timers import HeartbeatConfig
from runtime.gateway.cron.heartbeats import outcome_of
from runtime.gateway.journal.runs import ReplyTarget
from tests.support.conversations import asked
from tests.support.timers import HOUR, TimerRig, timer_rig
from tests.support.until import until

MAIN = "agent:echo:main"


def beats(rig: TimerRig, every: str) -> None:
    """Configure heartbeats of the echo agent."""
    listed = rig.rig.parts.agents.listed
    entry = replace(listed.entries["echo"], heartbeat=HeartbeatConfig(every=every, prompt="Look."))
    rig.rig.parts.agents.listed = replace(listed, entries={"echo": entry})


async def test_a_heartbeat_comes_when_it_is_due_and_again_after_a_restart() -> None:
    async with timer_rig() as rig:
        beats(rig, "1h")
        first = await rig.timers()
        first.heartbeats.start_due()
        assert rig.agent.asked == []
        rig.now += HOUR
        first.heartbeats.start_due()
        first.heartbeats.start_due()
        await until(lambda: rig.agent.asked)
        assert (rig.agent.asked[0]["text"], rig.agent.asked[0]["heartbeat"]) == ("Look.", True)
        rig.now += HOUR
        first.heartbeats.start_due()  # the last one is still under way
        rig.agent.answers("HEARTBEAT_OK")
        await until(lambda: first.heartbeats.last)
        second = await rig.timers()
        second.heartbeats.start_due()
        await until(lambda: len(rig.agent.asked) == 2)  # of the time that was passed over
        rig.agent.answers("HEARTBEAT_OK")


async def test_two_events_at_once_are_one_turn() -> None:
    async with timer_rig() as rig:
        timers = await rig.timers()
        first = await timers.heartbeats.wake("one", "now", MAIN)
        await until(lambda: rig.agent.asked)
        second = await timers.heartbeats.wake("two", "now", MAIN)
        third = await timers.heartbeats.wake("three", "now", MAIN)
        assert (first.outcome, second.outcome, third.outcome) == ("queued", "queued", "coalesced")
        assert third.run is None
        rig.agent.answers("HEARTBEAT_OK")
        await until(lambda: len(rig.agent.asked) == 2)
        turn = rig.agent.asked[1]
        assert "two" in turn["text"]
        assert [each["text"].endswith("three") for each in turn["history"]] == [True]
        rig.agent.answers("HEARTBEAT_OK")


def test_what_became_of_a_heartbeat_is_told_as_openclaw_tells_it() -> None:
    run = asked("r", reply=None, state="final", at=5, ended=9, answer="Look out.")
    assert outcome_of(run)["status"] == "skipped"
    sent = outcome_of(replace(run, reply=ReplyTarget("irc:one", "ada")))
    assert (sent["status"], sent["channel"], sent["to"]) == ("sent", "irc", "ada")
    assert (sent["preview"], sent["indicatorType"], sent["durationMs"]) == (
        "Look out.",
        "alert",
        4,
    )
    assert outcome_of(replace(run, state="error", error="died"))["status"] == "failed"
    assert outcome_of(replace(run, answer=" "))["status"] == "ok-empty"
