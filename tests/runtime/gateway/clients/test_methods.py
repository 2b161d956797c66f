"""Methods that act on accounts and on what the supervisor owns, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from ipc.frames.bootstrap import ChannelInfo
from ipc.frames.data import Answer, Call
from ipc.frames.websocket import Event
from tests.support.house import House, house, row

KEY = "irc:libera"
ANSWERS: dict[str, dict[str, Any]] = {
    "logs.tail": {"file": "trunkline.log", "cursor": 0, "size": 0, "lines": []},
    "config.schema.lookup": {"path": "gateway.port", "schema": {}, "children": []},
    "config.schema": {"schema": {}, "uiHints": {}, "version": "1", "generatedAt": "now"},
}
SENT = b'{"id":"m-1","chat":"#room","ts":5}'


async def calls_of(home: House, answer: bytes = SENT, *, ok: bool = True) -> list[Any]:
    """Return where the account's calls will be found; each gets the same answer."""
    worker, found = await home.worker(KEY), []

    def on_call(call: Call) -> Answer:
        found.append((call.method, msgspec.json.decode(call.params)))
        return Answer(call.id, ok, answer)

    worker.on_call = on_call
    return found


def can(home: House, *actions: str) -> None:
    """Let the channel do ``actions``, as its manifest would say."""
    info = ChannelInfo("irc", "IRC", "IRC network", "number", "libera", ["libera"], list(actions))
    home.gateway.accounts.set_channels([info])


def action(name: str, **inner: Any) -> dict[str, Any]:
    return {"channel": "irc", "action": name, "params": inner, "idempotencyKey": "k-1"}


async def test_media_leaves_as_attachments() -> None:
    async with house() as home:
        calls = await calls_of(home)
        client = await home.client()
        sent = {"to": "#room", "idempotencyKey": "k", "mediaUrls": ["http://a/1", "http://a/2"]}
        await client.call("send", sent)
        assert calls[0][1]["attachments"] == [{"url": "http://a/1"}, {"url": "http://a/2"}]


async def test_a_buffer_leaves_as_an_attachment_with_its_data() -> None:
    async with house() as home:
        calls = await calls_of(home)
        client = await home.client()
        sent = {"to": "#room", "idempotencyKey": "k", "buffer": "aGk=", "filename": "a.txt"}
        await client.call("send", sent | {"contentType": "text/plain"})
        assert calls[0][1]["attachments"] == [
            {"url": "data:text/plain;base64,aGk=", "mimeType": "text/plain", "name": "a.txt"}
        ]


async def test_the_action_send_takes_the_spellings_of_the_command_line() -> None:
    async with house() as home:
        can(home, "send")
        calls = await calls_of(home)
        client = await home.client()
        inner = {"target": "#room", "text": "hi", "media": "http://a/1", "replyTo": 7}
        answer = await client.call("message.action", action("send", **inner))
        assert answer == {"ok": True, "messageId": "m-1", "chatId": "#room", "receipt": {}}
        assert calls == [
            (
                "send",
                {
                    "to": "#room",
                    "text": "hi",
                    "key": "k-1",
                    "replyTo": "7",
                    "attachments": [{"url": "http://a/1"}],
                },
            )
        ]


@pytest.mark.parametrize("answer", [b"[]", b"{", b'{"id":7}', b'{"id":"\xff"}', b"[" * 100_000])
async def test_an_answer_that_is_none_is_told_and_names_the_account(answer: bytes) -> None:
    async with house() as home:
        can(home, "send", "edit")
        await calls_of(home, answer)
        client = await home.client()
        for method, params in (
            ("send", {"to": "#room", "idempotencyKey": "k", "message": "hi"}),
            ("message.action", action("edit", to="#room", messageId="m-1", message="better")),
        ):
            if method == "message.action" and answer == b'{"id":7}':
                continue  # an object is all that an action answers
            with pytest.raises(RemoteError) as caught:
                await client.call(method, params)
            assert caught.value.code == "UNAVAILABLE"
            assert caught.value.message.startswith(f"{KEY}: malformed answer (")
            assert not caught.value.retryable


@pytest.mark.parametrize("answer", [b"[]", b"{", b"[" * 100_000])
async def test_other_answers_that_are_none_harm_nobody(answer: bytes) -> None:
    async with house() as home:
        await calls_of(home, answer)
        client = await home.client()
        with pytest.raises(RemoteError, match=f"{KEY}: malformed answer"):
            await client.call("channels.logout", {"channel": "irc"})
        status = await client.call("channels.status", {"probe": True})
        (row, *_) = status["channelAccounts"]["irc"]
        assert row["probe"]["ok"] is False


@pytest.mark.parametrize("error", [b"[]", b"{", b'{"code":"X","details":' + b"[" * 100_000])
async def test_an_error_that_is_none_is_told_and_names_the_account(error: bytes) -> None:
    async with house() as home:
        await calls_of(home, error, ok=False)
        client = await home.client()
        with pytest.raises(RemoteError, match=f"UNAVAILABLE: {KEY}: malformed error"):
            await client.call("send", {"to": "#room", "idempotencyKey": "k", "message": "hi"})


async def test_an_action_reaches_the_account_whose_channel_can_do_it() -> None:
    async with house() as home:
        can(home, "send", "edit")
        calls = await calls_of(home, b'{"edited":true}')
        client = await home.client()
        answer = await client.call(
            "message.action", action("edit", to="#room", messageId="m-1", message="better")
        )
        assert answer == {"ok": True, "messageId": "m-1", "chatId": "#room", "edited": True}
        assert calls == [
            (
                "action",
                {"name": "edit", "key": "k-1", "chat": "#room", "message": "m-1", "text": "better"},
            )
        ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (action("edit", messageId="1"), "channel irc does not support action edit"),
        (action("send", message="x"), "invalid message.action params: to is required"),
        (action("send", to="x"), "invalid message.action params: text or media is required"),
        (action("send") | {"channel": "fax"}, "invalid message.action channel"),
        ({"channel": "irc"}, "invalid message.action params: must have required property 'action'"),
    ],
)
async def test_an_action_that_cannot_be_is_refused_with_the_reason(
    params: dict[str, Any], message: str
) -> None:
    async with house() as home:
        can(home, "send")
        client = await home.client()
        with pytest.raises(RemoteError) as caught:
            await client.call("message.action", params)
        assert (caught.value.code, caught.value.message) == ("INVALID_REQUEST", message)


async def test_logout_ends_the_login() -> None:
    async with house() as home:
        calls = await calls_of(home, b'{"loggedOut":true}')
        client = await home.client()
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
    async with house() as home:
        await calls_of(home, b'{"code":"INVALID_REQUEST","message":"no logout"}', ok=False)
        client = await home.client()
        with pytest.raises(RemoteError, match="channel irc does not support logout"):
            await client.call("channels.logout", {"channel": "irc"})


async def test_health_tells_who_is_linked_and_how_long() -> None:
    plugin = {"linked": True, "authenticatedAt": 1_000}
    async with house(row(KEY, plugin=plugin)) as home:
        client = await home.client()
        shot = (await client.call("health"))["channels"]["irc"]["accounts"]["libera"]
        assert shot["linked"] is True
        assert shot["authAgeMs"] > 1_000_000


async def test_the_echo_agent_is_listed() -> None:
    async with house() as home:
        client = await home.client()
        answer = await client.call("agents.list", {})
        assert answer["defaultId"] == "main"
        assert answer["agents"] == [{"id": "main", "name": "echo"}]


async def test_a_configuration_is_told_under_the_names_of_the_protocol() -> None:
    async with house() as home:
        home.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": {"a": 1}}
        client = await home.client()
        answer = await client.call("config.get", {})
        for name in ("config", "parsed", "sourceConfig", "resolved", "runtimeConfig"):
            assert answer[name] == {"a": 1}


async def test_a_large_configuration_is_told_once() -> None:
    async with house() as home:
        values = {"a": "x" * 200_000}
        home.answers["config.get"] = {"path": "/x", "exists": True, "raw": "{}", "config": values}
        client = await home.client()
        answer = await client.call("config.get", {})
        assert answer["config"] == values
        assert "parsed" not in answer


async def test_a_refused_write_keeps_its_details() -> None:
    async with house() as home:
        error = {"code": "INVALID_REQUEST", "message": "no", "details": {"issues": [1]}}
        home.answers["config.set"] = {"ok": False, "error": error}
        client = await home.client()
        with pytest.raises(RemoteError) as caught:
            await client.call("config.set", {"raw": "{}", "baseHash": "h"})
        assert caught.value.details == {"issues": [1]}
        asked = await home.asked.get()
        assert asked["params"] == {"raw": "{}", "baseHash": "h"}


async def test_a_new_revision_is_told_to_everybody_who_may_read() -> None:
    async with house() as home:
        seen: asyncio.Queue[Event] = asyncio.Queue()
        await home.client(on_event=seen.put_nowait)
        await home.report(row(KEY), revision="r2")
        async with asyncio.timeout(5):
            while (event := await seen.get()).event != "config.changed":
                pass
        assert isinstance(event.payload, msgspec.Raw)
        told = msgspec.json.decode(event.payload)
        assert (told["path"], told["hash"]) == ("/state/trunkline.json5", "r2")


@pytest.mark.parametrize(
    ("method", "params", "asked"),
    [
        ("logs.tail", {"cursor": 5}, {"cursor": 5, "limit": 500, "maxBytes": 250_000}),
        ("channels.drain", {"accounts": [KEY]}, {"accounts": [KEY], "timeoutMs": 30_000}),
        ("secrets.reload", {}, {}),
        ("shutdown", {}, {}),
        ("config.schema", {}, {}),
        ("config.schema.lookup", {"path": "gateway.port"}, {"path": "gateway.port"}),
    ],
)
async def test_what_is_the_supervisors_is_asked_of_it(
    method: str, params: dict[str, Any], asked: dict[str, Any]
) -> None:
    async with house() as home:
        answer = {**ANSWERS.get(method, {"done": method})}
        home.answers[method] = answer
        client = await home.client()
        assert await client.call(method, params) == answer
        assert (await home.asked.get())["params"] == asked


@pytest.mark.parametrize("method", ["gateway.restart", "gateway.restart.request"])
async def test_a_restart_is_handed_to_the_supervisor(method: str) -> None:
    async with house() as home:
        home.answers["gateway.restart.request"] = {"status": "scheduled"}
        client = await home.client()
        assert (await client.call(method, {}))["status"] == "scheduled"
