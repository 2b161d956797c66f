"""Sessions are changed, over real sockets, against what was recorded of OpenClaw."""

from __future__ import annotations

from typing import Any

from tests.support.gateway_rig import gateway_rig
from tests.support.rig_agent import echo_agent, held_agent
from tests.support.session_calls import KEY, refused, talked
from tests.support.until import until


async def test_a_patch_makes_a_session_and_null_clears() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await rig.client()
        patch = {"key": KEY, "label": "mine", "sendPolicy": "deny", "pinned": True}
        assert (await client.call("sessions.patch", patch))["key"] == KEY
        row = (await client.call("sessions.describe", {"key": KEY}))["session"]
        assert (row["label"], row["sendPolicy"], row["pinned"]) == ("mine", "deny", True)
        said = await refused(client, "sessions.patch", {"key": "other", "label": "mine"})
        assert said == "label already in use: mine"
        ask = {"message": "x", "idempotencyKey": "k", "sessionKey": KEY, "deliver": True}
        said = await refused(client, "agent", ask | {"channel": "irc", "to": "ada"})
        assert said == "send blocked by session policy"
        await client.call("sessions.patch", {"key": KEY, "label": None, "sendPolicy": None})
        row = (await client.call("sessions.describe", {"key": KEY}))["session"]
        assert "label" not in row
        assert "sendPolicy" not in row


async def test_the_model_of_a_session_is_asked_for_and_the_rest_is_named() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await rig.client()
        patch = {"key": KEY, "model": "m", "thinkingLevel": "low", "verboseLevel": "full"}
        assert (await client.call("sessions.patch", patch))["ignored"] == ["verboseLevel"]
        say = {"sessionKey": KEY, "message": "x", "idempotencyKey": "r", "thinking": "high"}
        await client.call("chat.send", say)
        await until(lambda: agent.asked)
        assert (agent.asked[0]["model"], agent.asked[0]["thinking"]) == ("m", "high")


async def test_a_reset_keeps_the_label_and_a_deletion_nothing() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await rig.client()
        await talked(client)
        await client.call("sessions.patch", {"key": KEY, "label": "mine"})
        before = (await client.call("sessions.describe", {"key": KEY}))["session"]
        await client.call("sessions.reset", {"key": KEY})
        after = (await client.call("sessions.describe", {"key": KEY}))["session"]
        assert after["label"] == "mine"
        assert after["sessionId"] != before["sessionId"]
        assert (await client.call("sessions.get", {"key": KEY}))["messages"] == []
        assert (await client.call("sessions.delete", {"key": KEY}))["deleted"] is True
        assert (await client.call("sessions.describe", {"key": KEY}))["session"] is None
        assert (await client.call("sessions.delete", {"key": KEY}))["deleted"] is False


async def test_a_session_is_archived_and_deleted_as_it_was_listed() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        client = await rig.client()
        await talked(client)
        all_of_them = {"archived": "all", "configuredAgentsOnly": True, "agentId": "echo"}
        (row,) = (await client.call("sessions.list", all_of_them))["sessions"]
        known = {"key": KEY, "expectedSessionId": row["sessionId"]}
        other = known | {"expectedSessionId": "other"}
        said = await refused(client, "sessions.patch", other | {"archived": True})
        assert said == f"Session {KEY} changed before the patch. Retry."
        said = await refused(client, "sessions.delete", known | {"archivedOnly": True})
        assert said == f"Session {KEY} is not archived. Archive it first, then delete it."

        entry = (await client.call("sessions.patch", known | {"archived": True}))["entry"]
        assert (entry["sessionId"], entry["archived"]) == (row["sessionId"], True)
        assert entry["archivedAt"] >= row["updatedAt"]
        for archived, count in ((False, 0), (True, 1), ("all", 1)):
            page = await client.call("sessions.list", {"archived": archived})
            assert page["count"] == count
        assert (await client.call("sessions.list"))["count"] == 0
        said = await refused(client, "sessions.delete", other)
        assert said == f"Session {KEY} changed before deletion. Retry."
        gone = await client.call("sessions.delete", known | {"archivedOnly": True})
        assert gone["deleted"] is True


async def test_who_may_write_archives_and_deletes_what_is_archived() -> None:
    async with gateway_rig(agents="echo") as rig:
        await echo_agent(rig)
        admin = await rig.client()
        await talked(admin)
        client = await rig.client(scopes=["operator.read", "operator.write"])
        allowed: list[Any] = [
            {"label": "x", "pinned": True},
            {"model": "m", "thinkingLevel": "low"},
        ]
        for params in allowed:
            assert (await client.call("sessions.patch", {"key": KEY} | params))["ok"] is True
        denied: list[Any] = [{"sendPolicy": "deny"}, {"label": "y", "elevatedLevel": None}]
        for params in denied:
            said = await refused(client, "sessions.patch", {"key": KEY} | params)
            assert said == "missing scope: operator.admin"
        said = await refused(client, "sessions.delete", {"key": KEY})
        assert said == "missing scope: operator.admin"
        archived = await client.call("sessions.patch", {"key": KEY, "archived": True})
        assert archived["entry"]["label"] == "x", "what was refused has changed nothing"
        gone = await client.call("sessions.delete", {"key": KEY, "archivedOnly": True})
        assert gone["deleted"] is True


async def test_a_main_session_is_known_and_stays() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        main = {"key": "main"}
        assert (await client.call("sessions.patch", main | {"label": "x"}))["entry"][
            "isMain"
        ] is True
        other = await client.call("sessions.patch", {"key": KEY, "label": "y"})
        assert other["entry"]["isMain"] is False
        said = await refused(client, "sessions.patch", main | {"archived": True})
        assert said == "Cannot archive an agent's main session."
        answer = await client.call("sessions.patch", main | {"archived": False})
        assert answer["entry"]["archived"] is False


async def test_an_answer_says_what_the_session_is_now() -> None:
    async with gateway_rig(agents="echo") as rig:
        client = await rig.client()
        patch = {"key": "web1", "agentId": "echo", "thinkingLevel": "adaptive", "model": "m"}
        patched = await client.call("sessions.patch", patch | {"fastMode": "auto"})
        assert (patched["key"], patched["ignored"]) == (KEY, ["fastMode"])
        assert patched["entry"]["thinkingLevel"] == "adaptive"
        resolved = {"modelProvider": "trunkline", "model": "m", "agentRuntime": {"id": "echo"}}
        assert patched["resolved"] == resolved
        reset = await client.call("sessions.reset", {"key": KEY})
        assert (reset["entry"]["model"], reset["resolved"]) == ("m", resolved)
        made = await client.call("sessions.create", {"key": "tui-1", "emitCommandHooks": False})
        assert (made["entry"]["key"], made["resolved"]["model"]) == ("agent:echo:tui-1", "")


async def test_an_abort_names_the_run() -> None:
    async with gateway_rig(agents="echo") as rig:
        agent = await held_agent(rig)
        client = await rig.client()
        say = {"sessionKey": KEY, "message": "x", "idempotencyKey": "r"}
        await client.call("chat.send", say)
        await until(lambda: agent.turns)
        answer = await client.call("sessions.abort", {"key": KEY})
        assert answer == {"ok": True, "abortedRunId": "r", "status": "aborted"}
        nothing = await client.call("sessions.abort", {"key": KEY})
        assert nothing == {"ok": True, "abortedRunId": None, "status": "no-active-run"}
