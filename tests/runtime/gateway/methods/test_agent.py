"""``agent`` and ``agent.wait``, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from ipc.frames.data import Answer, Call
from runtime.gateway.conversations.error_texts import TEXTS
from runtime.gateway.methods.agent import RESET_DONE, last_answer
from tests.support.gateway_rig import GatewayRig, gateway_rig
from tests.support.handshakes import greeted
from tests.support.http_api import CHAT, RIGHT, http_rig
from tests.support.http_api import said as completion
from tests.support.rawclient import RawClient
from tests.support.rig_agent import HeldAgent, echo_agent, failing_agent, held_agent
from tests.support.until import until
from workers.agent import Kind, TurnOutcome

ASK = {"message": "hi", "idempotencyKey": "k", "agentId": "echo"}
MAIN = "agent:echo:main"
SECRET = "the program said: secret-stderr"


async def asked(client: RawClient, **more: Any) -> Any:
    """Ask the agent; return the first answer."""
    return await client.call("agent", ASK | more, id="a")


async def busy(rig: GatewayRig) -> tuple[HeldAgent, RawClient]:
    """Return an agent that has the run ``k``, and the client that waits for it."""
    agent = await held_agent(rig)
    client = await greeted(rig)
    assert (await asked(client))["payload"]["status"] == "accepted"
    await until(lambda: agent.turns)
    return agent, client


async def test_one_request_has_two_answers_and_its_repetition_the_last_one() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await greeted(rig)
        first = await asked(client)
        assert first["payload"] == {
            "runId": "k",
            "sessionKey": MAIN,
            "agentId": "echo",
            "status": "accepted",
            "acceptedAt": first["payload"]["acceptedAt"],
        }
        last = await client.response()
        assert (last["id"], last["ok"]) == ("a", True)
        assert (last["payload"]["status"], last["payload"]["summary"]) == ("ok", "completed")
        result = last["payload"]["result"]
        assert result["payloads"] == [{"text": "echo: hi", "mediaUrl": None}]
        assert await asked(client) == last
        other = await asked(client, message="something else")
        assert other["error"]["details"] == {"reason": "chat-request-conflict"}
        waited = (await client.call("agent.wait", {"runId": "k"}))["payload"]
        assert (waited["status"], waited["known"], waited["stopReason"]) == ("ok", True, "stop")


async def test_a_run_that_is_under_way_is_in_flight_and_ends_for_whoever_waits() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await busy(rig)
        second = await greeted(rig)
        again = await asked(second)
        assert again["payload"] == {
            "runId": "k",
            "status": "in_flight",
            "sessionKey": MAIN,
            "agentId": "echo",
        }
        wait = {"runId": "k", "timeoutMs": 0}
        assert (await second.call("agent.wait", wait))["payload"]["status"] == "timeout"
        agent.answers("done")
        assert (await client.response())["payload"]["status"] == "ok"
        assert (await second.call("agent.wait", wait))["payload"]["status"] == "ok"


async def test_an_unknown_run_is_named_so() -> None:
    async with gateway_rig(agents="echo") as rig:
        answer = await (await greeted(rig)).call("agent.wait", {"runId": "nope"})
        assert answer["payload"] == {"runId": "nope", "status": "timeout", "known": False}


async def test_an_error_has_its_payload_beside_it() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await busy(rig)
        agent.ends(TurnOutcome("error", kind="refused", error="no such thing"))
        last = await client.response()
        assert last["ok"] is False
        assert last["payload"]["status"] == "error"
        assert last["payload"]["summary"] == last["error"]["message"]
        assert "no such thing" not in str(last)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("door", ["agent", "chat.send"])
async def test_no_word_of_an_agent_reaches_a_client(kind: Kind, door: str) -> None:
    async with gateway_rig(agents="echo") as rig:
        await failing_agent(rig, TurnOutcome("error", kind=kind, error=SECRET))
        client = await greeted(rig)
        chat = {"message": "hi", "idempotencyKey": "k", "sessionKey": MAIN}
        await client.call(door, ASK if door == "agent" else chat, id="a")
        seen: list[Any] = []
        while not seen or seen[-1].get("payload", {}).get("state") != "error":
            seen.append(await client.next())
        assert TEXTS[kind].text in str(seen[-1])
        run = {"runId": "k", "timeoutMs": 5000}
        second = await greeted(rig)
        seen.append(await second.call("agent.wait", run))
        assert seen[-1]["payload"]["error"] == TEXTS[kind].text
        seen.append(await second.call("chat.history", {"sessionKey": MAIN}))
        assert seen[-1]["ok"]
        if door == "agent":
            seen.append(await client.response())
            assert seen[-1]["payload"]["summary"] == TEXTS[kind].text
        assert SECRET not in str(seen)


async def test_an_abort_and_a_late_answer_are_both_a_timeout() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent, client = await busy(rig)
        second = await greeted(rig)
        aborted = await second.call("chat.abort", {"sessionKey": MAIN, "runId": "k"})
        assert aborted["payload"]["aborted"]
        last = (await client.response())["payload"]
        assert last == {
            "runId": "k",
            "status": "timeout",
            "summary": "aborted",
            "stopReason": "rpc",
        }
        await asked(client, idempotencyKey="late")
        await until(lambda: len(agent.turns) == 2)
        agent.ends(TurnOutcome("timeout"))
        late = (await client.response())["payload"]
        assert (late["status"], late["timeoutPhase"], late["providerStarted"]) == (
            "timeout",
            "provider",
            True,
        )
        assert late["result"]["payloads"][0]["isError"]
        run = await rig.parts.runs.wait("late", 0)
        assert run is not None
        assert last_answer(run, 4) == late
        assert last_answer(run, 3).error.code == "AGENT_TIMEOUT"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"agentId": "nobody"}, 'invalid agent params: unknown agent id "nobody"'),
        (
            {"agentId": None, "sessionKey": "agent:nobody:main"},
            'Agent "nobody" no longer exists in configuration',
        ),
        ({"deliver": True, "channel": "irc"}, "Delivering to IRC requires target <chatId>"),
        (
            {"deliver": True, "channel": "nochan", "to": "1"},
            "invalid agent params: unknown channel: nochan; known: irc",
        ),
        ({"replyChannel": "nochan"}, "unknown channel: nochan; known: irc"),
        ({"deliver": True, "channel": "last", "to": "1"}, "unknown channel: last; known: irc"),
        ({"message": ""}, "at /message: must NOT have fewer than 1 characters"),
        ({"bogus": 1}, "at root: unexpected property 'bogus'"),
        ({"attachments": [{"content": "%%%", "fileName": "a.png"}]}, "attachment a.png"),
    ],
)
async def test_what_cannot_be_asked_is_refused(params: Any, said: str) -> None:
    async with gateway_rig(agents="echo") as rig:
        answer = await asked(await greeted(rig), **params)
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert said in answer["error"]["message"]


@pytest.mark.parametrize(
    ("params", "session"),
    [
        ({"sessionKey": "foo"}, "agent:echo:foo"),
        ({"sessionKey": "main"}, MAIN),
        ({"agentId": None, "sessionId": "s1"}, "agent:echo:explicit:s1"),
        ({"agentId": None, "to": "777"}, None),
        ({"channel": "irc", "to": "ada"}, "agent:echo:irc:libera:direct:ada"),
        ({"agentId": None}, None),
    ],
)
async def test_the_session_is_the_one_that_is_meant(params: Any, session: str | None) -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        first = (await asked(await greeted(rig), **params))["payload"]
        assert first.get("sessionKey") == session


async def test_an_answer_goes_to_the_chat_through_the_outbox() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        worker = await rig.worker("irc:libera", journal="on")
        sent: list[Any] = []

        def deliver(call: Call) -> Answer:
            sent.append(msgspec.json.decode(call.params))
            return Answer(call.id, True, b'{"sent":[{"id":"1","chat":"ada","ts":1}]}')

        worker.on_call = deliver
        client = await greeted(rig)
        await asked(client, deliver=True, channel="irc", to="ada", lane="x")
        assert (await client.response())["payload"]["status"] == "ok"
        await until(lambda: sent)
        message = sent[0].get("message", sent[0])
        assert (message["to"], message["text"]) == ("ada", "echo: hi")


async def test_a_reset_is_answered_at_once_and_the_rest_is_named_that_has_no_effect() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await greeted(rig)
        done = (await asked(client, message="/new"))["payload"]
        assert done["result"]["payloads"][0] == {
            "text": RESET_DONE,
            "mediaUrl": None,
            "isStatusNotice": True,
        }
        first = (await asked(client, lane="x", cwd="/tmp", model="m"))["payload"]
        assert first["ignored"] == ["lane", "cwd"]


async def test_the_caller_own_words_reach_the_agent() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        await asked(await greeted(rig), extraSystemPrompt="be brief", model="m", thinking="low")
        await until(lambda: agent.asked)
        turn = agent.asked[0]
        assert (turn["instructions"], turn["model"], turn["thinking"]) == ("be brief", "m", "low")


async def test_a_run_goes_on_in_the_next_gateway_though_no_account_asks_an_agent(
    tmp_path: Path,
) -> None:
    async with gateway_rig(state_dir=tmp_path) as rig:  # ``agents.default`` is none
        agent = await held_agent(rig)
        client = await rig.client()
        await client.call("chat.send", {"sessionKey": MAIN, "message": "hi", "idempotencyKey": "k"})
        await until(lambda: agent.turns)
    async with gateway_rig(state_dir=tmp_path) as rig:
        agent = HeldAgent(await rig.worker("agent:echo", 2))
        await until(lambda: agent.turns)
        agent.answers("hello")
        client = await rig.client()
        ended = await client.call("agent.wait", {"runId": "k"})
        assert ended["terminalReply"]["text"] == "hello"


LACKS = {"entries": {"echo": {"kind": "echo", "lacks": ["instructions", "model", "thinking"]}}}


async def test_what_the_kind_of_an_agent_takes_no_notice_of_is_named_at_every_door() -> None:
    hooks = {"enabled": True, "token": "hook-secret"}
    async with http_rig() as client:
        rig = client.rig
        await rig.report(agents={"default": "echo"} | LACKS, hooks=hooks)
        await echo_agent(rig)
        operator = await rig.client()
        key = "agent:echo:web1"
        turn = {"kind": "agentTurn", "message": "x", "thinking": "low", "lightContext": True}
        job = {
            "name": "job",
            "schedule": {"kind": "every", "everyMs": 3_600_000},
            "sessionTarget": "isolated",
            "wakeMode": "now",
            "payload": turn,
            "delivery": {"mode": "none"},
        }
        added = await operator.call("cron.add", job)
        patch = {"payload": {"kind": "agentTurn", "model": "m"}}
        changed = await operator.call("cron.update", {"id": added["id"], "patch": patch})
        patched = {"key": key, "model": "m", "thinkingLevel": "low", "label": "mine"}
        say = {"sessionKey": key, "message": "hi", "idempotencyKey": "k1", "thinking": "low"}
        body = completion("hi", reasoning_effort="low", n=2)
        body["messages"].insert(0, {"role": "system", "content": "be brief"})
        headers = RIGHT | {"x-openclaw-model": "m"}
        hook = {"message": "hi", "model": "m", "thinking": "low"}
        given = {"idempotencyKey": "k2", "model": "m", "extraSystemPrompt": "x"}
        first = (await asked(await greeted(rig), **given, lane="x"))["payload"]
        found = {
            "agent": first["ignored"],
            "chat.send": (await operator.call("chat.send", say))["ignored"],
            "sessions.patch": (await operator.call("sessions.patch", patched))["ignored"],
            "cron.add": added["ignored"],
            "cron.update": changed["ignored"],
            "hook": (
                await client.ask(
                    "/hooks/agent", hook, headers={"Authorization": "Bearer hook-secret"}
                )
            )[1]["ignored"],
            "/v1": (await client.ask(CHAT, body, headers=headers))[1]["ignored"],
        }
        assert {door: sorted(names) for door, names in found.items()} == {
            "agent": ["extraSystemPrompt", "lane", "model"],
            "chat.send": ["thinking"],
            "sessions.patch": ["model", "thinkingLevel"],
            "cron.add": ["lightContext", "thinking"],
            "cron.update": ["lightContext", "model", "thinking"],
            "hook": ["model", "thinking"],
            "/v1": ["instructions", "n", "reasoning_effort", "x-openclaw-model"],
        }
