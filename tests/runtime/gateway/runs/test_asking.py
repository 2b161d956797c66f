"""Runs of clients, as every method, endpoint and job begins them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from ipc.errors import RemoteError
from runtime.config.sessions import ResetConfig
from runtime.gateway.accounts.agent_entries import AgentEntry
from runtime.gateway.journal.runs import RunRequest
from runtime.gateway.runs.asking import made_run
from runtime.gateway.runs.live import RunUpdate
from tests.support.gateway_rig import gateway_rig
from tests.support.rig_agent import held_agent
from tests.support.until import PATIENCE, until
from workers.agent import Delta

KEY = "agent:echo:hook"


def test_a_run_belongs_to_the_agent_of_its_key_and_ends_in_time() -> None:
    run = made_run("r", "agent:ops:main", RunRequest("x"), client="cli", timeout_ms=1000)
    assert (run.agent, run.origin.client, run.mode) == ("ops", "cli", "followup")
    assert run.deadline == run.at + 1000
    assert made_run("r", "agent:ops:main", RunRequest("x"), client="cli").deadline == 0


async def test_whoever_asks_sees_all_of_a_run_and_may_end_it() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, asking = await held_agent(rig), rig.parts.asking
        seen: list[RunUpdate] = []
        asked = await asking.ask(made_run("r", KEY, RunRequest("x"), client="hook"), seen.append)
        await until(lambda: agent.turns)
        agent.yields(Delta("one"))
        await until(lambda: any(each.event for each in seen))
        again = await asking.ask(made_run("r", KEY, RunRequest("x"), client="hook"), seen.append)
        assert (asked.known, again.known, again.run.id) == (False, True, "r")
        with pytest.raises(RemoteError, match="already used for different input"):
            await asking.ask(made_run("r", KEY, RunRequest("y"), client="hook"))
        assert [asked.abort("stop"), asked.abort("stop")] == [True, False]
        async with asyncio.timeout(PATIENCE):
            assert (await again.wait()).state == "aborted"
            assert (await asked.wait()).state == "aborted"
        assert [each.step for each in seen] == ["queued", "started", "event", "ended", "ended"]
        assert seen[2].partial.text == "one"


async def test_a_session_begins_anew_and_its_runs_are_ended() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, asking = await held_agent(rig), rig.parts.asking
        asked = await asking.ask(made_run("r", KEY, RunRequest("x"), client="hook"))
        await until(lambda: agent.turns)
        before = (await asking.conversation(KEY)).session
        after = await asking.reset(KEY)
        assert (await asked.wait()).state == "aborted"
        assert (after.key == before.key, after.id == before.id) == (True, False)
        assert await asking.session_with_id(after.id, "echo") == KEY
        assert await asking.session_with_id("other", "echo") == "agent:echo:explicit:other"


@pytest.mark.parametrize(("client", "anew"), [("cli", True), ("heartbeat", False)])
async def test_a_conversation_that_has_rested_begins_anew_for_people(
    client: str, anew: bool
) -> None:
    async with gateway_rig(agents="echo") as rig:
        await held_agent(rig)
        asking = rig.parts.asking
        rig.parts.sessions.reset = ResetConfig(idle_minutes=1)
        conversation = await asking.conversation(KEY)
        before = conversation.session
        conversation.session = replace(before, runs=1, updated=1)
        await asking.ask(made_run("r", KEY, RunRequest("x"), client=client))
        assert (conversation.session.id != before.id) is anew


async def test_what_cannot_be_asked_is_refused_with_the_reason() -> None:
    async with gateway_rig(agents="echo") as rig:
        for key, text in (("agent:nobody:main", "no longer exists"), ("agent:::", "session")):
            with pytest.raises(RemoteError, match=text):
                rig.parts.asking.answered_key(key)
        assert rig.parts.asking.answered_key("main") == "agent:echo:main"


async def test_main_is_the_default_agent_where_none_has_that_id() -> None:
    async with gateway_rig(agents="echo") as rig:
        asking, agents = rig.parts.asking, rig.parts.agents
        assert asking.key_in("agent:main:main") == "agent:echo:main"
        assert asking.key_in("agent:main:other") == "agent:main:other"
        assert [agents.named(each) for each in (None, "", "main", "x")] == ["echo"] * 3 + ["x"]
        assert agents.names == {"echo", "main"}
        rig.parts.agents.listed.entries["main"] = AgentEntry("echo")
        assert asking.key_in("agent:main:main") == "agent:main:main"
        assert agents.named("main") == "main"
        assert asking.key_in("x", "main") == "agent:main:x"
        assert asking.key_in("agent:main:x", "main") == "agent:main:x"
        with pytest.raises(RemoteError, match='belongs to "echo", not "main"'):
            asking.key_in("agent:echo:x", "main")


async def test_a_request_waits_until_the_runs_of_earlier_gateways_are_there() -> None:
    async with gateway_rig(agents="echo", supervisor=False) as rig:
        waiting = asyncio.ensure_future(rig.parts.asking.journal())
        await until(lambda: rig.parts.intake.ready)
        assert not waiting.done()
        await rig.connect_supervisor()
        assert (await waiting).ready
        rig.parts.runs.close()
        with pytest.raises(RemoteError, match="the gateway is starting"):
            await rig.parts.asking.journal()
