"""``channels.*``: status, start, stop and logout of accounts, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from ipc.errors import RemoteError
from ipc.frames.data import Answer
from tests.support.account_calls import calls_of, can
from tests.support.gateway_rig import gateway_rig, row
from tests.support.handshakes import greeted

KEY = "irc:libera"


async def test_channels_status_has_the_shape_of_the_protocol() -> None:
    rows = row(KEY), row("irc:oftc", "failed", last_error="bad password")
    async with gateway_rig(*rows) as rig:
        can(rig, "send", "edit", also=["typing"])
        client = await greeted(rig)
        status = (await client.call("channels.status", {}))["payload"]
        assert status["channelOrder"] == ["irc"]
        assert status["channelDefaultAccountId"] == {"irc": "libera"}
        assert status["channels"]["irc"]["can"] == ["edit", "typing"]
        accounts = status["channelAccounts"]["irc"]
        assert [(each["accountId"], each["lifecycle"]) for each in accounts] == [
            ("libera", "ready"),
            ("oftc", "blocked"),
        ]
        assert status["statusIssues"][0]["accountId"] == "oftc"
        unknown = await client.call("channels.status", {"channel": "telegraph"})
        assert unknown["error"]["message"] == "invalid channels.status channel"


async def test_channels_status_probes_running_accounts() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.on_call = lambda call: Answer(call.id, True, b'{"ok":true,"bot":"me"}')
        client = await greeted(rig)
        status = (await client.call("channels.status", {"probe": True}))["payload"]
        probe = status["channelAccounts"]["irc"][0]["probe"]
        assert probe["ok"] is True
        assert probe["elapsedMs"] >= 0


async def test_a_stop_goes_to_the_supervisor_and_its_answer_comes_back() -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.stop"] = {
            "results": [{"account": KEY, "ok": True, "outcome": "stopped", "persisted": True}]
        }
        client = await rig.client()
        answer = await client.call("channels.stop", {"channel": "irc", "reason": "tired"})
        assert answer == {"channel": "irc", "accountId": "libera", "stopped": True}
        asked = await rig.asked.get()
        assert asked["params"] == {"accounts": [KEY], "reason": "tired"}


async def test_a_stop_that_could_not_be_remembered_says_so() -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.stop"] = {
            "results": [{"account": KEY, "ok": True, "outcome": "stopped", "persisted": False}]
        }
        answer = await (await rig.client()).call("channels.stop", {"channel": "irc"})
        assert answer["persisted"] is False


@pytest.mark.parametrize(
    ("row_", "started", "outcome"),
    [
        ({"ok": True, "outcome": "handed-off"}, True, {"status": "handed-off"}),
        (
            {"ok": True, "outcome": "skipped", "reason": "task-owned"},
            True,
            {"status": "skipped", "reason": "task-owned"},
        ),
        (
            {"ok": False, "outcome": "skipped", "reason": "disabled"},
            False,
            {"status": "skipped", "reason": "disabled"},
        ),
    ],
)
async def test_outcomes_of_a_start(row_: Any, started: bool, outcome: Any) -> None:
    async with gateway_rig() as rig:
        rig.answers["channels.start"] = {"results": [row_]}
        answer = await (await rig.client()).call("channels.start", {"channel": "irc"})
        assert (answer["started"], answer["outcome"]) == (started, outcome)


async def test_an_error_of_the_supervisor_comes_back_as_it_is() -> None:
    async with gateway_rig() as rig:
        error = {"code": "UNAVAILABLE", "message": "no", "retryable": True, "retryAfterMs": 5}
        rig.answers["channels.restart"] = {"ok": False, "error": error}
        client = await greeted(rig)
        assert (await client.call("channels.restart", {"channel": "irc"}))["error"] == error


async def test_unknown_channels_and_accounts_are_named() -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match=r"invalid channels\.start channel"):
            await client.call("channels.start", {"channel": "nope"})
        with pytest.raises(RemoteError, match="unknown irc account 'nope'; known: libera"):
            await client.call("channels.start", {"channel": "irc", "accountId": "nope"})


async def test_logout_ends_the_login() -> None:
    async with gateway_rig() as rig:
        calls = await calls_of(rig, b'{"loggedOut":true}')
        client = await rig.client()
        answer = await client.call("channels.logout", {"channel": "irc"})
        assert answer == {
            "channel": "irc",
            "accountId": "libera",
            "cleared": True,
            "envToken": False,
            "loggedOut": True,
        }
        assert calls == [("logout", {})]


async def test_a_channel_without_logout_says_so() -> None:
    async with gateway_rig() as rig:
        await calls_of(rig, b'{"code":"INVALID_REQUEST","message":"no logout"}', ok=False)
        client = await rig.client()
        with pytest.raises(RemoteError, match="channel irc does not support logout"):
            await client.call("channels.logout", {"channel": "irc"})
