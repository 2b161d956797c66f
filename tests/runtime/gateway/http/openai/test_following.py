"""A run follows its request: a client that leaves ends it, one that does not read loses it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from runtime.gateway.http.metrics import Metrics
from runtime.gateway.runs.asking import AskedRun
from tests.support.handshakes import greeted
from tests.support.http_api import CHAT, RIGHT, HttpClient, chunks, head, http_rig, said
from tests.support.rig_agent import held_agent, turn_of
from tests.support.until import until
from workers.agent import Delta, ToolCall


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_ends_its_run(stream: bool) -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        asking = asyncio.ensure_future(client.ask(CHAT, said("hi", stream=stream)))
        await turn_of(agent)
        run = agent.asked[0]["run"]
        asking.cancel()
        await until(lambda: client.rig.parts.runs.ended["aborted"])
        assert client.rig.parts.runs.live(run) is None
        await until(lambda: client.rig.parts.api.outcomes["disconnected"])
        assert client.rig.parts.api.streams == 0


@contextlib.contextmanager
def unread(client: HttpClient, body: Any) -> Iterator[None]:
    """Ask for a completion, and read nothing of it."""
    data = msgspec.json.encode(body)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", client.rig.port))
        sock.sendall(head(CHAT, len(data)) + data)
        yield


async def test_a_client_that_does_not_read_loses_its_stream_and_the_run_goes_on() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        with unread(client, said("hi", stream=True)):
            await turn_of(agent)
            outcomes = client.rig.parts.api.outcomes
            live = client.rig.parts.runs.live(agent.asked[0]["run"])
            assert live is not None
            while not outcomes["slow"]:
                agent.yields(*[Delta("x" * 60_000)] * 4)
                came = live.came + 1
                await until(lambda: live.came >= came or outcomes["slow"])  # noqa: B023
        agent.answers("done")
        await until(lambda: client.rig.parts.runs.ended["final"])
        status = (await (await greeted(client.rig)).call("status"))["payload"]
        assert status["httpApi"]["ended"]["slow"] == 1
        figures = await Metrics(client.rig.parts).text()
        assert b'trunkline_api_requests_total{outcome="slow"} 1' in figures


async def test_what_an_agent_says_at_once_is_streamed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_rig() as client:
        agent, parts, go = await held_agent(client.rig), client.rig.parts, asyncio.Event()
        ask = parts.asking.ask

        async def ask_and_return_late(*args: Any) -> AskedRun:
            asked = await ask(*args)
            await go.wait()
            return asked

        monkeypatch.setattr(parts.asking, "ask", ask_and_return_late)
        asking = asyncio.ensure_future(client.ask(CHAT, said("hi", stream=True)))
        await turn_of(agent)
        agent.yields(Delta("at once"))
        agent.answers("at once")
        await until(lambda: parts.runs.ended["final"])
        go.set()
        found = chunks((await asking)[1])
        deltas = [each["choices"][0]["delta"] for each in found if each != "[DONE]"]
        assert "".join(each.get("content") or "" for each in deltas) == "at once"


async def test_a_gateway_that_ends_says_that_the_run_goes_on() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        asking = [
            asyncio.ensure_future(client.ask(CHAT, said("hi", stream=stream)))
            for stream in (False, True)
        ]
        await turn_of(agent, 2)
        client.rig.parts.runs.close()
        status, body, headers = await asking[0]
        assert (status, headers["x-should-retry"]) == (503, "false")
        assert "goes on without this answer" in body["error"]["message"]
        found = chunks((await asking[1])[1])
        assert [*found[1]] == ["error"]
        assert client.rig.parts.api.outcomes["failed"] == 2


KEYED = RIGHT | {"Idempotency-Key": "k1"}


def spoken(found: list[Any]) -> str:
    """Return the text of the chunks of a stream, whose last event is ``[DONE]``."""
    assert found[-1] == "[DONE]"
    deltas = [each["choices"][0]["delta"] for each in found if each != "[DONE]"]
    return "".join(each.get("content") or "" for each in deltas)


async def test_a_request_with_a_key_is_asked_once_and_answered_as_often_as_it_comes() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        first = asyncio.ensure_future(client.ask(CHAT, said("hi", stream=True), headers=KEYED))
        await turn_of(agent)
        agent.yields(Delta("one "), ToolCall("c1", "get_weather", {"city": "Rome"}))
        live = client.rig.parts.runs.live(agent.asked[0]["run"])
        assert live is not None
        await until(lambda: live.came >= 1)
        first.cancel()  # its connection breaks
        await until(lambda: client.rig.parts.api.outcomes["disconnected"])
        assert client.rig.parts.runs.live(agent.asked[0]["run"]) is live
        again = asyncio.ensure_future(client.ask(CHAT, said("hi", stream=True), headers=KEYED))
        await until(lambda: client.rig.parts.api.streams == 1)
        agent.yields(Delta("two"))
        agent.answers("one two")
        assert spoken(chunks((await again)[1])) == "one two"
        status, whole, _ = await client.ask(CHAT, said("hi"), headers=KEYED)
        assert (status, whole["id"]) == (200, agent.asked[0]["run"])
        assert whole["choices"][0]["message"]["content"] == "one two"
        for body in (said("other"), said("hi", user="ann")):
            status, refused, headers = await client.ask(CHAT, body, headers=KEYED)
            assert (status, headers["x-should-retry"]) == (409, "false")
            assert "already used for different input" in refused["error"]["message"]
        long = {"Idempotency-Key": "k" * 513}
        assert (await client.ask(CHAT, said("hi"), headers=RIGHT | long))[0] == 400
        assert len(agent.asked) == 1


async def test_the_calls_of_tools_are_in_an_answer_that_is_asked_for_again() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        body = said("hi", tools=[tool], tool_choice="required")
        asking = asyncio.ensure_future(client.ask(CHAT, body, headers=KEYED))
        await turn_of(agent)
        agent.yields(ToolCall("c1", "get_weather", {"city": "Rome"}))
        agent.answers("")
        first = (await asking)[1]
        assert first["choices"][0]["finish_reason"] == "tool_calls"
        assert (await client.ask(CHAT, body, headers=KEYED))[1]["choices"] == first["choices"]


async def test_a_gateway_that_ends_asks_for_the_key_again() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        asking = asyncio.ensure_future(client.ask(CHAT, said("hi"), headers=KEYED))
        await turn_of(agent)
        client.rig.parts.runs.close()
        status, body, headers = await asking
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "x-should-retry" not in headers
        assert "ask again with the same Idempotency-Key" in body["error"]["message"]
