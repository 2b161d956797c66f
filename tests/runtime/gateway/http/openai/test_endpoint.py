"""The OpenAI API over real sockets, answered by an agent of the test."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest

from runtime.gateway.conversations.error_texts import TEXTS
from runtime.gateway.http.openai.asked import Asked
from runtime.gateway.http.openai.chat_requests import read_chat_request
from tests.support.http_api import CHAT, RESPONSES, RIGHT, HttpClient, chunks, head, http_rig, said
from tests.support.rig_agent import echo_agent, failing_agent, held_agent, turn_of
from workers.agent import Delta, Final, Kind, ToolCall, TurnOutcome, Usage

SECRET = "the program said: secret-stderr"
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}


async def test_what_is_asked_reaches_the_agent_and_its_answer_comes_back_in_pieces() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        request = said("now?", stream=True, tools=[WEATHER], user="ann:x", temperature=1)
        request["messages"] = [
            {"role": "system", "content": "be terse"},
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "a1"},
            *request["messages"],
        ]
        request["stream_options"] = {"include_usage": True}
        asking = asyncio.ensure_future(
            client.ask(CHAT, request, headers=RIGHT | {"x-openclaw-model": "big"})
        )
        turn = await turn_of(agent)
        assert turn["session"] == "agent:echo:openai-user:ann%3Ax"
        assert (turn["text"], turn["instructions"], turn["model"]) == ("now?", "be terse", "big")
        assert [(each["role"], each["text"]) for each in turn["history"]] == [
            ("user", "q1"),
            ("assistant", "a1"),
        ]
        assert (turn["tools"], turn["toolChoice"]) == ([WEATHER], "auto")
        agent.yields(Delta("it "), Delta("is"), ToolCall("c1", "get_weather", {"city": "Rome"}))
        usage = Usage(input=60, output=2, cache_read=40)
        agent.ends(TurnOutcome("final", Final("it is", usage, "tool_calls")))
        status, text, headers = await asking
        found = chunks(text)
        assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert found[0]["choices"][0]["delta"] == {"role": "assistant"}
        assert found[0]["ignored"] == ["temperature"]
        assert found[-1] == "[DONE]"
        assert found[-2]["usage"]["total_tokens"] == 102
        deltas = [each["choices"][0] for each in found[1:-2]]
        assert "".join(each["delta"].get("content", "") for each in deltas) == "it is"
        assert deltas[-1] == {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
        assert deltas[-2]["delta"]["tool_calls"] == [
            {
                "index": 0,
                "id": "c1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
            }
        ]
        # The next request of the same person: what the session knows is not said twice.
        request["messages"] += [
            {"role": "assistant", "content": "it is"},
            {"role": "user", "content": "and then?"},
        ]
        asking = asyncio.ensure_future(client.ask(CHAT, request))
        turn = await turn_of(agent, 2)
        assert [each["text"] for each in turn["history"]] == ["now?", "it is"]
        agent.answers("done")
        await asking


async def test_what_does_not_go_to_the_agent_is_not_kept_while_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[Asked] = []

    def read(body: object) -> Asked:
        found.append(read_chat_request(body))
        return found[-1]

    monkeypatch.setattr("runtime.gateway.http.openai.endpoint.read_chat_request", read)
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        asking = asyncio.ensure_future(client.ask(CHAT, said("hi")))
        assert (await turn_of(agent))["text"] == "hi"
        assert found[0].said == []
        agent.answers("done")
        assert (await asking)[0] == 200


async def test_a_run_that_fails_is_an_error_of_the_api() -> None:
    async with http_rig() as client:
        agent = await held_agent(client.rig)
        for number, (kind, status) in enumerate([("refused", 400), ("misconfigured", 502)], 1):
            asking = asyncio.ensure_future(client.ask(CHAT, said("hi")))
            await turn_of(agent, number)
            agent.ends(TurnOutcome("error", kind=kind, error="the model says no"))  # type: ignore[arg-type]
            answer = await asking
            assert answer[0] == status
            assert answer[1]["error"]["message"] == TEXTS[kind].text
            assert ("x-should-retry" in answer[2]) == (status == 502)
        asking = asyncio.ensure_future(client.ask(RESPONSES, {"model": "openclaw", "input": "x"}))
        await turn_of(agent, 3)
        agent.ends(TurnOutcome("error", kind="refused", error="no"))
        status, body, _ = await asking
        assert (status, body["status"], body["error"]["code"]) == (
            400,
            "failed",
            "invalid_request_error",
        )
        asking = asyncio.ensure_future(client.ask(CHAT, said("hi", stream=True)))
        await turn_of(agent, 4)
        agent.ends(TurnOutcome("error", kind="refused", error="no"))
        found = chunks((await asking)[1])
        assert [*found[1]] == ["error"]
        assert found[2:] == ["[DONE]"]


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_no_word_of_an_agent_reaches_a_caller(kind: Kind) -> None:
    async with http_rig() as client:
        await failing_agent(client.rig, TurnOutcome("error", kind=kind, error=SECRET))
        for path, body in ((CHAT, said("hi")), (RESPONSES, {"model": "openclaw", "input": "hi"})):
            for stream in (False, True):
                answer = await client.ask(path, body | {"stream": stream})
                assert TEXTS[kind].text in str(answer)
                assert SECRET not in str(answer)


async def test_the_agent_that_is_always_there_answers_and_calls_no_tool() -> None:
    async with http_rig() as client:
        await echo_agent(client.rig)
        status, body, headers = await client.ask(CHAT, said("hi"))
        assert status == 200, body
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "echo: hi"},
                "finish_reason": "stop",
            }
        ]
        assert (body["object"], body["model"]) == ("chat.completion", "openclaw")
        assert headers["Cache-Control"] == "no-store"
        assert client.rig.parts.api.outcomes["answered"] == 1
        asked = said("hi", tools=[WEATHER], tool_choice="required")
        status, body, _ = await client.ask(CHAT, asked)
        assert (status, body) == (
            502,
            {
                "error": {
                    "message": "tool_choice=required was not satisfied by the agent response",
                    "type": "api_error",
                }
            },
        )
        _, body, _ = await client.ask(CHAT, asked | {"stream": True})
        assert [*chunks(body)[-2]] == ["error"]
        assert client.rig.parts.api.outcomes["answered"] == 1


async def keys(client: HttpClient, **more: Any) -> str:
    """Return the session in which a request was answered."""
    asked = {"model": "openclaw", "input": "hi"} | more.pop("body", {})
    status, body, _ = await client.ask(RESPONSES, asked, **more)
    assert status == 200, body
    journal = client.rig.parts.intake.journal
    assert journal is not None
    run = await journal.run_of(body["id"])
    assert run is not None
    return run.session


async def test_sessions_follow_an_answer_a_person_or_a_header() -> None:
    async with http_rig() as client:
        await echo_agent(client.rig)
        status, body, _ = await client.ask(RESPONSES, {"model": "openclaw/echo", "input": "one"})
        assert (status, body["output"][0]["content"][0]["text"]) == (200, "echo: one")
        first = await keys(client)
        assert first.startswith("agent:echo:openresponses:")
        assert await keys(client) != first
        follows = {"previous_response_id": body["id"]}
        assert await keys(client, body=follows) == await keys(client, body=follows)
        assert await keys(client, body={"previous_response_id": "resp_nope"}) != first
        assert await keys(client, body={"user": "u1"}) == "agent:echo:openresponses-user:u1"
        named = RIGHT | {"x-openclaw-session-key": "plain"}
        assert await keys(client, headers=named) == "agent:echo:plain"


REFUSED: list[tuple[dict[str, str], dict[str, Any], int, str]] = [
    ({"x-openclaw-session-key": "agent:echo:subagent:x"}, {}, 400, "reserved internal"),
    ({"x-openclaw-session-key": "agent:echo:cron:x"}, {}, 400, "reserved internal"),
    ({"x-openclaw-session-key": "agent:other:main"}, {}, 400, "Unknown agent 'other'."),
    ({"x-openclaw-session-key": "a b"}, {}, 400, "white space"),
    ({"x-openclaw-agent-id": "nobody"}, {}, 400, "Unknown agent 'nobody'."),
    ({}, {"model": "openclaw/nobody"}, 400, "Unknown agent 'nobody'."),
    ({}, {"model": "gpt-4"}, 400, "Invalid `model`. Use `openclaw`"),
    ({}, {"messages": []}, 400, "Missing user message in `messages`."),
    ({}, {"messages": [{"role": "user", "content": "x" * 300_000}]}, 413, "262144"),
]


async def test_what_cannot_be_asked_is_refused_in_one_sentence() -> None:
    async with http_rig() as client:
        for headers, body, status, words in REFUSED:
            found = await client.ask(CHAT, said("x") | body, headers=RIGHT | headers)
            assert found[0] == status, words
            assert words in found[1]["error"]["message"]
            assert found[1]["error"]["type"] == "invalid_request_error"
        reader, writer = await asyncio.open_connection("127.0.0.1", client.rig.port)
        writer.write(head(CHAT, 4 * 1024 * 1024 + 1, "Expect: 100-continue"))
        answer = await reader.readuntil(b"}}")  # it is not even asked for
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"gateway.http.maxBodyBytes" in answer
        writer.write(b" " * (4 * 1024 * 1024 + 1))  # and what comes nevertheless is not kept
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        for raw in (b"{", b"[" * 100_000, b"\xff\xfe"):
            status, answer, _ = await client.ask(CHAT, raw)
            assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        assert client.rig.parts.api.outcomes["refused"] == len(REFUSED) + 4
