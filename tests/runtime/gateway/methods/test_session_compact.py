"""``sessions.compact``, over real sockets: an agent is told less, and people read everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.data import TurnBegin, TurnCancel
from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from runtime.gateway.journal.conversations import SessionFilter
from runtime.gateway.journal.runs import NO_REQUEST
from runtime.gateway.methods import session_compact
from runtime.gateway.runs import turn_table
from runtime.gateway.runs.sessions import SUMMARY
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.rig_agent import AGENT, HeldAgent, held_agent, turn_of
from tests.support.until import PATIENCE, until
from workers.agent import Delta, Final, TurnOutcome

KEY = "agent:echo:web1"


async def talked(client: Client, agent: HeldAgent, *texts: str) -> None:
    """Have each text answered by itself in capitals."""
    for text in texts:
        count = len(agent.turns)
        say = {"sessionKey": KEY, "message": text, "idempotencyKey": text}
        await client.call("chat.send", say)
        await turn_of(agent, count + 1)
        agent.answers(text.upper())
        assert (await client.call("agent.wait", {"runId": text}))["status"] == "ok"


def told(agent: HeldAgent) -> list[str]:
    """Return what the agent was told in its last turn: what was said before, and the question."""
    asked = agent.asked[-1]
    return [*(each["text"] for each in asked.get("history", [])), asked["text"]]


async def shown(client: Client) -> list[str]:
    """Return what a person reads of the session."""
    rows = (await client.call("chat.history", {"sessionKey": KEY}))["messages"]
    texts = [row["content"] for row in rows]
    return [text if isinstance(text, str) else text[0]["text"] for text in texts]


async def compacted(client: Client, **params: Any) -> Any:
    return await client.call("sessions.compact", {"key": KEY, **params})


async def next_turn(client: Client, agent: HeldAgent, text: str = "next") -> list[str]:
    say = {"sessionKey": KEY, "message": text, "idempotencyKey": text}
    count = len(agent.turns)
    await client.call("chat.send", say)
    await turn_of(agent, count + 1)
    return told(agent)


ALL = ["a", "A", "b", "B", "c", "C"]


@pytest.mark.parametrize("read_again", [False, True])
async def test_an_agent_is_told_the_newest_entries_and_people_read_all(read_again: bool) -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        await client.call("sessions.subscribe")
        await talked(client, agent, "a", "b", "c")
        assert await compacted(client, maxLines=2) == {
            "ok": True,
            "key": KEY,
            "compacted": True,
            "kept": 2,
        }
        nothing = {"ok": True, "key": KEY, "compacted": False, "kept": 2}
        assert await compacted(client, maxLines=2) == nothing
        if read_again:
            rig.parts.sessions.forget(KEY)  # as after a while, or a restart
        assert await next_turn(client, agent) == ["c", "C", "next"]
        assert await shown(client) == ALL
        assert (await client.call("sessions.get", {"key": KEY}))["messages"][0]["content"] == "a"


def may_sum_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the rig's agent be of a kind that can."""
    monkeypatch.setattr(session_compact, "PLAIN_KINDS", frozenset())


async def test_an_agent_sums_up_what_it_is_told_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    may_sum_up(monkeypatch)
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        await talked(client, agent, "a", "b", "c")
        result = await summed_up(rig, client, agent, " the letters ")
        assert result == {"summary": "the letters", "kept": 4}
        summary = f"{SUMMARY}\nthe letters"
        assert await next_turn(client, agent) == [summary, "b", "B", "c", "C", "next"]
        assert await shown(client) == ALL
        agent.answers("NEXT")
        await client.call("agent.wait", {"runId": "next"})
        rig.parts.sessions.forget(KEY)
        await talked(client, agent, "d")
        assert (await compacted(client, maxLines=1))["kept"] == 1
        assert await next_turn(client, agent, "last") == [summary, "D", "last"]
        agent.answers("LAST")
        await client.call("agent.wait", {"runId": "last"})
        await client.call("sessions.reset", {"key": KEY})
        assert await next_turn(client, agent, "anew") == ["anew"]


async def summed_up(rig: GatewayRig, client: Client, agent: HeldAgent, text: str) -> Any:
    """Have the agent sum up, and leave nothing of that among the sessions."""
    count = len(agent.turns)
    asking = asyncio.ensure_future(compacted(client))
    await turn_of(agent, count + 1)
    assert told(agent)[:-1] == ["a", "A"]
    assert agent.asked[-1]["session"] != KEY
    agent.answers(text)
    answer = await asking
    assert answer["compacted"] is True
    assert (await client.call("sessions.list"))["count"] == 1
    return answer["result"]


async def test_without_a_summary_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    may_sum_up(monkeypatch)
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        await talked(client, agent, "a", "b", "c")
        asking = asyncio.ensure_future(compacted(client))
        await turn_of(agent, 4)
        agent.ends(TurnOutcome("error", kind="refused", error="no"))
        with pytest.raises(RemoteError, match="has made no summary; nothing was changed"):
            await asking
        assert await next_turn(client, agent) == [*ALL, "next"]


def heard_into(heard: list[tuple[str, Any]]) -> Callable[[Event], None]:
    """Return what takes a client's events of runs and sessions."""

    def take(event: Event) -> None:
        if event.event in ("agent", "chat", "sessions.changed", "session.operation"):
            payload = cast(msgspec.Raw, event.payload)
            heard.append((event.event, msgspec.json.decode(payload)))

    return take


@pytest.mark.parametrize("completed", [True, False])
async def test_clients_hear_of_the_operation_and_nothing_of_the_question(
    completed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sum_up(monkeypatch)
    async with gateway_rig(agents="echo") as rig:
        heard: list[tuple[str, Any]] = []
        agent, client = await held_agent(rig), await rig.client(on_event=heard_into(heard))
        await talked(client, agent, "a", "b", "c")
        await client.call("sessions.subscribe")
        heard.clear()
        asking = asyncio.ensure_future(compacted(client))
        await turn_of(agent, 4)
        agent.yields(Delta("the letters"))
        agent.ends(TurnOutcome("final", Final("the letters" if completed else "")))
        await asyncio.wait([asking])
        await client.call("sessions.list")  # what was sent before has come by now
        start, *changes, end = [each for each in heard if each[1].get("reason") != "compact"]
        assert changes == []
        wanted = {"operation": "compact", "sessionKey": KEY, "agentId": "echo"}
        told = {"operationId": start[1]["operationId"], "ts": start[1]["ts"], **wanted}
        assert start == ("session.operation", told | {"phase": "start"})
        told = told | {"phase": "end", "completed": completed, "ts": end[1]["ts"]}
        if not completed:
            told["reason"] = "the agent has made no summary; nothing was changed"
        assert end == ("session.operation", told)
        assert (asking.exception() is None) is completed
        await stored_nothing(rig, agent.asked[-1]["run"])


async def stored_nothing(rig: GatewayRig, run: str) -> None:
    """Check that of a question the journal has only that it was asked, and that it is over."""
    journal = await rig.parts.asking.journal()
    found = await journal.run_of(run)
    assert found is not None
    assert (found.is_open, found.answer, found.request) == (False, "", NO_REQUEST)
    assert await journal.session(found.session) is None
    assert await journal.entries(found.session, 9) == []
    assert (await journal.sessions(SessionFilter(), 9))[1] == 1


async def stored_as_running(rig: GatewayRig, run: str) -> None:
    """Wait until it is stored that a run has begun: a little later than it does."""
    journal = await rig.parts.asking.journal()
    async with asyncio.timeout(PATIENCE):
        while not (found := await journal.run_of(run)) or not found.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_gateway_that_ends_meanwhile_leaves_nothing_of_the_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sum_up(monkeypatch)
    monkeypatch.setattr(turn_table, "CANCEL_MS", 600_000)  # until the agent has come back
    async with gateway_rig(agents="echo", state_dir=tmp_path) as rig:
        agent, client = await held_agent(rig), await rig.client()
        await talked(client, agent, "a", "b", "c")
        asking = asyncio.ensure_future(compacted(client))
        await turn_of(agent, 4)
        run = agent.asked[-1]["run"]
        await stored_as_running(rig, run)
    await asyncio.wait([asking])
    assert asking.exception() is not None
    async with gateway_rig(agents="echo", state_dir=tmp_path) as rig:
        client = await rig.client()
        await until(lambda: rig.parts.asking.runs.whole)
        await client.call("agent.wait", {"runId": run})
        found = await (await rig.parts.asking.journal()).run_of(run)
        assert found is not None
        assert (found.state, found.detail) == ("aborted", "restart")
        await stored_nothing(rig, run)
        worker = await rig.worker(AGENT)
        again = await worker.next(TurnBegin)  # which it is asked to go on with, and then is not
        assert again.payload == b""
        assert (await worker.next(TurnCancel)).turn == again.turn
        agent = HeldAgent(worker)
        assert await next_turn(client, agent) == [*ALL, "next"]
        assert len(agent.turns) == 1  # it is not asked again


async def test_while_a_session_is_busy_its_agent_sums_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_sum_up(monkeypatch)
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        await talked(client, agent, "a", "b", "c")
        await next_turn(client, agent)
        with pytest.raises(RemoteError, match="has an active run; retry after it finishes"):
            await compacted(client)
        agent.answers("NEXT")
        await client.call("agent.wait", {"runId": "next"})
        first, second = (asyncio.ensure_future(compacted(client)) for _ in range(2))
        await turn_of(agent, 6)
        for turn in agent.turns[-2:]:
            agent.ends(TurnOutcome("final", Final("sum")), turn)
        await asyncio.wait([first, second])
        errors = [str(each.exception()) for each in (first, second) if each.exception()]
        assert errors == [f"INVALID_REQUEST: Session {KEY} changed before compaction. Retry."]


async def test_a_summary_of_somebody_who_was_forgotten_meanwhile_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_sum_up(monkeypatch)
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        await talked(client, agent, "a", "b", "c")
        asking = asyncio.ensure_future(compacted(client))
        await turn_of(agent, 4)
        await client.call("messages.forget", {"sender": "ada"})
        agent.answers("what ada has said")
        with pytest.raises(RemoteError, match=r"changed before compaction\. Retry"):
            await asking
        assert await next_turn(client, agent) == [*ALL, "next"]


async def test_what_cannot_be_shortened_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await held_agent(rig), await rig.client()
        nothing = {"ok": True, "key": KEY, "compacted": False, "reason": "no transcript"}
        assert await compacted(client) == nothing
        await talked(client, agent, "a")
        small = {"ok": False, "key": KEY, "compacted": False}
        small["reason"] = "Nothing to compact (session too small)"
        assert await compacted(client) == small
        await talked(client, agent, "b", "c")
        with pytest.raises(RemoteError, match="kind echo sums up nothing; maxLines shortens"):
            await compacted(client)
        monkeypatch.setattr(session_compact, "ELSEWHERE", frozenset({"echo"}))
        with pytest.raises(RemoteError, match="keeps the conversation itself: compact it there"):
            await compacted(client, maxLines=1)
        with pytest.raises(RemoteError, match="maxLines"):
            await compacted(client, maxLines=0)
        reader = await rig.client(scopes=["operator.read"])
        with pytest.raises(RemoteError, match=r"operator\.admin"):
            await compacted(reader, maxLines=1)
