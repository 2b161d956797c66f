"""``chat.…`` and its events, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ipc.media import ABOUT, account_directory
from tests.support.gateway_rig import gateway_rig
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient
from tests.support.rig_agent import echo_agent, held_agent
from tests.support.until import until
from workers.agent import Delta, ToolCall, ToolResult, TurnOutcome

KEY = "agent:echo:web1"
READER: dict[str, Any] = {"scopes": ["operator.read"]}


async def said(client: RawClient, text: str = "hi", key: str = "c1", **more: Any) -> Any:
    """Say something in the session; return the answer, payload or error."""
    params = {"sessionKey": KEY, "message": text, "idempotencyKey": key} | more
    answer = await client.call("chat.send", params)
    return answer["payload"] if answer["ok"] else answer["error"]


async def final(client: RawClient, state: str = "final") -> Any:
    """Return the next event ``chat`` of a state."""
    while (payload := (await client.event("chat"))["payload"])["state"] != state:
        pass
    return payload


async def test_an_answer_comes_as_events_to_every_reader_and_stays_in_the_history() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client, reader = await greeted(rig), await greeted(rig, **READER)
        assert await said(client) == {"runId": "c1", "status": "started"}
        end = await final(reader)
        assert (end["runId"], end["sessionKey"], end["agentId"]) == ("c1", KEY, "echo")
        assert end["message"]["content"] == [{"type": "text", "text": "echo: hi"}]
        assert await said(client) == {"runId": "c1", "status": "ok"}
        conflict = await said(client, "other")
        assert conflict["details"] == {"reason": "chat-request-conflict"}
        history = (await client.call("chat.history", {"sessionKey": KEY}))["payload"]
        assert [each["role"] for each in history["messages"]] == ["user", "assistant"]
        assert history["totalMessages"] == 2
        assert history["sessionInfo"]["sessionId"] == history["sessionId"]


async def test_numbers_grow_over_both_kinds_and_one_event_of_each_is_the_last() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        seeing = await greeted(rig, caps=["tool-events"])
        plain = await greeted(rig)
        await said(plain)
        await until(lambda: agent.turns)
        call = ToolCall("t1", "look", {"at": 1})
        agent.yields(Delta("one "), Delta("two "), call, ToolResult("t1", "seen"), Delta("three"))
        agent.ends(TurnOutcome("final", None))
        frames = [await _until_final(each) for each in (seeing, plain)]
        for each in frames:
            numbers = [frame["payload"]["seq"] for frame in each]
            assert numbers == sorted(set(numbers))
            states = [f["payload"]["state"] for f in each if f["event"] == "chat"]
            assert states.count("final") == 1
        streams = [{f["payload"].get("stream") for f in each} for each in frames]
        assert streams[0] - streams[1] == {"tool"}
        assert frames[1][-1]["payload"]["message"]["content"][0]["text"] == "one two three"


async def _until_final(client: RawClient) -> list[Any]:
    frames = []
    while True:
        frame = await client.next()
        if frame.get("event") in ("agent", "chat"):
            frames.append(frame)
            if frame["payload"].get("state") == "final":
                return frames


async def test_a_client_sees_the_sessions_alone_that_it_has_chosen() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client, other = await greeted(rig), await greeted(rig)
        await other.call("events.subscribe", {"accounts": [], "runs": ["web2"]})
        await said(client)
        await final(client)
        await said(client, key="c2", sessionKey="web2")
        assert (await other.event("chat"))["payload"]["runId"] == "c2"
        await other.call("events.subscribe", {"accounts": [], "runs": False})
        await said(client, key="c3")
        await final(client)
        await other.send({"type": "req", "id": "9", "method": "health"})
        while (frame := await other.next())["type"] != "res":
            assert frame["payload"].get("runId") != "c3"


async def test_a_run_that_is_aborted_ends_before_the_answer_with_what_was_shown() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await greeted(rig)
        await said(client, "slow", key="s1")
        await until(lambda: agent.turns)
        agent.yields(Delta("so far"))
        await final(client, "delta")
        assert await said(client, "slow", key="s1") == {"runId": "s1", "status": "in_flight"}
        await client.send(
            {"type": "req", "id": "x", "method": "chat.abort", "params": {"sessionKey": KEY}}
        )
        end = await final(client, "aborted")
        assert (end["stopReason"], end["message"]["content"][0]["text"]) == ("rpc", "so far")
        answer = (await client.response())["payload"]
        assert answer == {"ok": True, "aborted": True, "runIds": ["s1"]}
        nothing = (await client.call("chat.abort", {"sessionKey": "none"}))["payload"]
        assert nothing == {"ok": True, "aborted": False, "runIds": []}


async def test_stop_and_interrupt_end_what_runs() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await greeted(rig)
        await said(client, "one", key="r1")
        await until(lambda: agent.turns)
        answer = await said(client, "two", key="r2", queueMode="interrupt")
        assert answer == {"runId": "r2", "status": "started", "interruptedActiveRun": True}
        await until(lambda: len(agent.turns) == 2)
        assert (await said(client, "/stop", key="r3"))["runIds"] == ["r2"]
        steered = await said(client, "three", key="r4", queueMode="steer", fastMode=True)
        assert steered["ignored"] == ["fastMode"]
        assert "followup" in steered["note"]
        await said(client, "/queue steer", key="r5")
        assert "followup" in (await said(client, "four", key="r6"))["note"]
        assert "note" not in await said(client, "five", key="r7", queueMode="collect")


async def test_a_command_is_answered_by_the_gateway_and_a_reset_empties_the_history() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await greeted(rig)
        await said(client)
        await final(client)
        await client.send(
            {
                "type": "req",
                "id": "1",
                "method": "chat.send",
                "params": {"sessionKey": KEY, "message": "/status", "idempotencyKey": "c2"},
            }
        )
        status = await final(client)
        assert (status["runId"], status["seq"]) == ("c2", 0)
        assert KEY in status["message"]["content"][0]["text"]
        await client.response()
        await said(client, "/new", key="c3")
        history = (await client.call("chat.history", {"sessionKey": KEY}))["payload"]
        assert (history["messages"], history["totalMessages"]) == ([], 0)


async def test_what_is_said_with_a_reset_is_asked_once_and_resets_once() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await greeted(rig)
        assert (await said(client, "/new hello", key="n"))["status"] == "started"
        await until(lambda: agent.asked)
        assert agent.asked[0]["text"] == "hello"
        assert await said(client, "/new hello", key="n") == {"runId": "n", "status": "in_flight"}


async def test_a_note_is_put_into_a_session_that_there_is() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await greeted(rig)
        note = {"sessionKey": KEY, "message": "note", "label": "lbl"}
        refused = await client.call("chat.inject", note)
        assert refused["error"]["message"] == "session not found"
        await said(client)
        await final(client)
        await client.send({"type": "req", "id": "1", "method": "chat.inject", "params": note})
        event = await final(client)
        added = (await client.response())["payload"]
        assert event["runId"] == f"inject-{added['messageId']}"
        page = {"sessionKey": KEY, "limit": 2, "offset": 1, "maxChars": 3}
        history = (await client.call("chat.history", page))["payload"]
        assert [each["role"] for each in history["messages"]] == ["user", "assistant"]
        assert history["messages"][1]["content"][0]["text"].startswith("ech\n...")


async def test_what_cannot_be_said_is_refused() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await greeted(rig)
        nobody = await said(client, sessionKey="agent:nobody:main")
        assert nobody["message"] == 'Agent "nobody" no longer exists in configuration'
        assert (await said(client, ""))["message"] == "message or attachment required"
        far = await client.call("chat.history", {"sessionKey": KEY, "limit": 5000})
        assert "at /limit: must be <= 1000" in far["error"]["message"]
        reader = await greeted(rig, **READER)
        assert "missing scope" in (await said(reader))["message"]


async def test_a_stored_file_of_an_account_goes_along_by_its_address(tmp_path: Path) -> None:
    async with gateway_rig(agents="echo", state_dir=tmp_path) as rig:
        agent, client = await held_agent(rig), await greeted(rig)
        store = account_directory(tmp_path, "irc:libera")
        store.mkdir(parents=True)
        for name in ("a" * 32, "a" * 32 + ABOUT):
            (store / name).write_text("{}")
        file = {"url": "media:" + "a" * 32, "fileName": "a.txt", "account": "irc:libera"}
        inline = {"content": "aGk=", "mimeType": "text/plain"}
        await said(client, attachments=[file, inline])
        await until(lambda: agent.asked)
        urls = [each["url"] for each in agent.asked[0]["attachments"]]
        assert urls == [file["url"], "data:text/plain;base64,aGk="]
        assert (account_directory(tmp_path, "agent:echo") / ("a" * 32)).exists()
        for wrong, text in (
            ({"url": "media:" + "b" * 32}, "not kept any more"),
            ({"url": "http://x"}, "url must be media:<id>"),
            ({"account": "irc:nobody"}, "the key of its account"),
        ):
            refused = await said(client, key="c2", attachments=[file | wrong])
            assert text in refused["message"]
