"""The agent against a gateway in the test: its run is followed, and begins once, whatever ends."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ipc.websocket.backoff import RetryPolicy
from tests.support.agents import agent_of, asked, events_of, failure_of_turn, text_of
from tests.support.until import until
from tests.workers.agents.openclaw.other import TOKEN, Other, Play, Run, other_gateway
from workers.agent import Delta, Final, HistoryItem, ToolCall, ToolResult, Usage
from workers.agents.answers import BrokenAnswer
from workers.agents.openclaw import connection, manifest, run
from workers.errors import NeedsLogin, RateLimited, Transient

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SESSION = "agent:front:irc:libera:direct:ann"
THERE = "agent:main:irc:libera:direct:ann"


@asynccontextmanager
async def rig(tmp_path: Path, play: Play, **config: Any) -> AsyncIterator[tuple[Any, Other]]:
    async with other_gateway(play) as other:
        fields = {"url": other.url, "token": TOKEN} | config
        async with agent_of(manifest, tmp_path, fields) as agent:
            yield agent, other


async def well(run: Run) -> None:
    await run.say("one ", "two")
    await run.end()


def turn(**fields: Any) -> Any:
    return asked(**{"session": SESSION, "run": "r1"} | fields)


async def test_a_turn_is_a_run_of_the_same_name_in_the_same_conversation(tmp_path: Path) -> None:
    async def play(run: Run) -> None:
        await run.say("one ")
        call = {"toolCallId": "c1", "name": "exec"}
        start = {"phase": "start", "args": {"command": "date"}}
        result = {"content": [{"type": "text", "text": "Sunday"}]}
        await run.event("agent", stream="tool", data=call | start)
        await run.event("agent", stream="tool", data=call | {"phase": "result", "result": result})
        await run.say("two")
        await run.end()

    async with rig(tmp_path, play, instructions="Be brief.") as (agent, other):
        found = await events_of(agent, turn())
        assert found == [
            Delta("one "),
            ToolCall("c1", "exec", {"command": "date"}),
            ToolResult("c1", "Sunday"),
            Delta("two"),
            Final("one two", Usage(100, 3), "stop", "fake-1"),
        ]
        reset, (_, begun), (_, again) = other.asked
        assert reset == ("sessions.reset", {"key": THERE, "reason": "new"})
        assert begun == {
            "message": "hello",
            "sessionKey": THERE,
            "agentId": "main",
            "deliver": False,
            "timeout": begun["timeout"],
            "idempotencyKey": "r1",
            "extraSystemPrompt": "Be brief.",
        }
        assert 25 <= begun["timeout"] <= 30
        assert again["idempotencyKey"] == "r1"
        assert other.began == 1
        scopes = [connect["scopes"] for connect in other.connects]
        assert scopes == [["operator.read", "operator.write"], ["operator.admin"]]
        assert agent.ctx.fields["connected"] is True


async def test_a_conversation_that_goes_on_is_not_begun_anew(tmp_path: Path) -> None:
    async with rig(tmp_path, well) as (agent, other):
        said = [HistoryItem("user", "before", 1)]
        assert text_of(await events_of(agent, turn(history=said))) == "one two"
        assert [params["message"] for _, params in other.asked] == ["hello", "hello"]


async def test_a_turn_that_is_cancelled_is_aborted_there(tmp_path: Path) -> None:
    async def play(run: Run) -> None:
        await run.say("one ")

    async with rig(tmp_path, play) as (agent, other):
        async with aclosing(agent.turn(turn())) as events:
            assert await anext(events) == Delta("one ")
        await until(lambda: other.asked[-1][0] == "chat.abort")
        assert other.asked[-1][1] == {"sessionKey": THERE, "runId": "r1"}


async def test_a_process_that_ends_leaves_the_run_to_the_next_one(tmp_path: Path) -> None:
    async def play(run: Run) -> None:
        await run.say("one ")

    async with other_gateway(play) as other:
        async with agent_of(manifest, tmp_path, {"url": other.url, "token": TOKEN}) as agent:
            events = agent.turn(turn())
            assert await anext(events) == Delta("one ")
            rest = asyncio.ensure_future(anext(events))
        assert not rest.done(), "it is no end of the turn that its process ends"
        rest.cancel()
        await asyncio.wait([rest])
        assert "chat.abort" not in [method for method, _ in other.asked]
        async with agent_of(manifest, tmp_path, {"url": other.url, "token": TOKEN}) as agent:
            again = asyncio.ensure_future(events_of(agent, turn()))
            await until(lambda: other.asked[-1][1].get("idempotencyKey") == "r1")
            await other.runs["r1"].end()
            assert text_of(await again) == "one "
        assert other.began == 1


async def test_a_session_that_is_cut_costs_nothing(tmp_path: Path) -> None:
    cut = asyncio.Event()

    async def play(run: Run) -> None:
        await run.say("one ")
        await cut.wait()
        other.cut()
        await run.say("two ")  # nobody hears it
        await until(lambda: other.asked[-1][0] == "agent" and len(other.asked) == 3)
        await run.say("three")
        await run.end()

    async with rig(tmp_path, play) as (agent, other):
        async with aclosing(agent.turn(turn())) as events:
            assert await anext(events) == Delta("one ")
            cut.set()
            assert [each async for each in events] == [
                Delta("two three"),
                Final("one two three", Usage(100, 3), "stop", "fake-1"),
            ]
        assert other.began == 1


ROW = {"role": "user", "content": "hello", "idempotencyKey": "r1:user"}
ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "late"}], "stopReason": "stop"}


@pytest.mark.parametrize(
    ("history", "says", "began"),
    [
        ({"messages": [ROW, ANSWER]}, "late", 1),
        ({"messages": []}, "one two", 2),
        ({"messages": [ROW]}, "one two", 2),
    ],
    ids=["answered", "never begun", "lost"],
)
async def test_a_gateway_that_was_restarted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    history: dict[str, Any],
    says: str,
    began: int,
) -> None:
    monkeypatch.setattr(run, "RECOVERY_SECONDS", 0.0)
    hanging = asyncio.Event()

    async def play(run: Run) -> None:
        if other.process > 1:
            await well(run)
        hanging.set()

    async with rig(tmp_path, play) as (agent, other):
        answer = asyncio.ensure_future(events_of(agent, turn()))
        await hanging.wait()
        other.history = history
        other.restart()
        assert text_of(await answer) == says
        assert other.began == began


async def test_a_run_that_is_lost_after_it_was_seen_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "RECOVERY_SECONDS", 0.0)

    async def play(run: Run) -> None:
        await run.say("one ")
        other.history = {"messages": [ROW]}
        other.restart()

    async with rig(tmp_path, play) as (agent, other):
        assert isinstance(await failure_of_turn(agent, turn()), Transient)
        assert other.began == 1


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"errorKind": "rate_limit", "errorMessage": "slowly"}, RateLimited),
        ({"errorMessage": "provider rejected it"}, BrokenAnswer),
    ],
)
async def test_the_error_of_a_run_has_the_class_of_its_event(
    tmp_path: Path, event: dict[str, str], error: type[Exception]
) -> None:
    failed = {"code": "UNAVAILABLE", "message": "LLM request failed"}

    async def play(run: Run) -> None:
        await run.end({"status": "error", "error": failed}, state="error", **event)

    async with rig(tmp_path, play) as (agent, _):
        assert isinstance(await failure_of_turn(agent, turn()), error)


async def test_an_answer_that_is_too_long_ends_the_run_there(tmp_path: Path) -> None:
    async def play(run: Run) -> None:
        await run.say("x" * 2000)

    async with rig(tmp_path, play, maxAnswerBytes=1024) as (agent, other):
        assert isinstance(await failure_of_turn(agent, turn()), BrokenAnswer)
        await until(lambda: other.asked[-1][0] == "chat.abort")


async def test_a_refused_secret_is_a_login_until_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY", RetryPolicy(steps=(0.02,), most=0.02))
    async with other_gateway(well) as other:
        other.token = "another"
        async with agent_of(manifest, tmp_path, {"url": other.url, "token": TOKEN}) as agent:
            await until(lambda: agent.ctx.fields.get("connected") is False)
            assert isinstance(await failure_of_turn(agent, turn()), NeedsLogin)
            assert TOKEN not in agent.ctx.fields["lastError"]
            other.token = TOKEN
            await until(lambda: agent.ctx.fields["connected"])
            assert text_of(await events_of(agent, turn())) == "one two"


async def test_a_gateway_that_stays_away_is_a_fault_that_passes(tmp_path: Path) -> None:
    fields = {"url": "ws://127.0.0.1:9", "awaySeconds": 0.1}
    async with agent_of(manifest, tmp_path, fields) as agent:
        assert isinstance(await failure_of_turn(agent, turn()), Transient)


async def test_images_go_along_and_what_does_not_is_named(tmp_path: Path) -> None:
    async with other_gateway(well) as other:
        other.hello = {"policy": {"attachments": {"maxImageBytes": 100}}}
        async with agent_of(manifest, tmp_path, {"url": other.url, "token": TOKEN}) as agent:
            save = agent.ctx.media.save
            small = await save(PNG, name="a.png", type="image/png")
            large = await save(PNG + bytes(100), name="b.png", type="image/png")
            text = await save(b"x", name="c.txt", type="text/plain")
            await events_of(agent, turn(attachments=[small, large, text]))
        params = other.asked[-1][1]
        (image,) = params["attachments"]
        assert base64.b64decode(image.pop("content")) == PNG
        assert image == {"type": "image", "mimeType": "image/png", "fileName": "a.png"}
        assert params["message"] == "hello\n[file: b.png, image/png]\n[file: c.txt, text/plain]"
