from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from ops.connect.account_api import payload_of
from tests.support.gateway_rig import gateway_rig, row

KEY = "irc:libera"
PROMPT = {"id": "1-1", "kind": "qr", "text": "2@abc", "hint": "", "secret": False}


def view(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "mark": state, "phase": "starting", "reason": None, **more}


async def test_a_login_is_followed_at_the_supervisor_and_the_answer_goes_there() -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.login"] = view("starting")
        rig.answers["channels.login.answer"] = {"account": KEY}
        client = await rig.client()
        asked = {"account": KEY, "seen": "", "timeoutMs": 0, "start": True}
        assert await client.call("channels.login", asked) == view("starting")
        assert (await rig.asked.get())["params"] == asked
        answer = {"account": KEY, "prompt": "1-1", "text": "sesame"}
        assert await client.call("channels.login.answer", answer) == {"account": KEY}
        assert (await rig.asked.get())["params"] == answer


@pytest.mark.parametrize("method", ["channels.login", "channels.login.answer", "web.login.start"])
async def test_a_login_is_for_administrators(method: str) -> None:
    async with gateway_rig() as rig:
        client = await rig.client(scopes=("operator.read", "operator.write"))
        with pytest.raises(RemoteError, match="missing scope"):
            await client.call(method, {})


async def test_without_a_channel_that_can_it_is_refused_as_openclaw_refuses() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        for method in ("web.login.start", "web.login.wait"):
            with pytest.raises(RemoteError, match="web login provider is not available"):
                await client.call(method, {})
            with pytest.raises(RemoteError, match="web login is not supported by provider irc"):
                await client.call(method, {"channel": "irc"})


async def test_others_learn_that_a_login_is_waited_for_and_not_what_is_shown() -> None:
    async with gateway_rig() as rig:
        watcher = await rig.watcher()
        login = {"prompt": "2-1", "kind": "qr", "expiresAt": None}
        waits = row(KEY, "starting", 2, cause="linking", login=login, todo="log it in: `x`")
        await rig.report(waits)
        await rig.report(row(KEY, "running", 2))
        seen = []
        async for event in watcher.events():
            if event.event == "channel.login":
                seen.append(payload_of(event))
            if len(seen) == 2:
                break
        assert [each["state"] for each in seen] == ["asked", "linked"]
        assert (seen[0]["kind"], seen[0]["prompt"]) == ("qr", "2-1")
        assert "expiresAt" not in seen[0], "absent, never null"


async def test_a_message_to_an_account_that_waits_is_refused_with_what_to_do() -> None:
    async with gateway_rig() as rig:
        await rig.report(row(KEY, "starting", 2, cause="linking", todo="log it in: `x`"))
        client = await rig.client()
        params = {"channel": "irc", "to": "#a", "message": "b", "idempotencyKey": "1"}
        with pytest.raises(RemoteError, match="log it in: `x`") as refused:
            await client.call("send", params)
        assert (refused.value.code, refused.value.retryable) == ("NOT_LINKED", False)
