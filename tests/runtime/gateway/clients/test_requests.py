"""Requests of clients that have said hello: the table, bad frames, calls that wait."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from ipc.errors import CallTimeout, RemoteError
from ipc.frames.data import Answer, Call
from tests.support.devices import Key, node
from tests.support.house import TOKEN, House, house, row
from tests.support.rawclient import RawClient
from tests.support.until import until

KEY = "irc:libera"
SENT = b'{"id":"m-1","chat":"#room","ts":5}'
SEND = {"to": "#room", "message": "hi", "idempotencyKey": "k-1"}


async def raw(home: House, protocol: int = 4, **more: Any) -> RawClient:
    client = await RawClient.open(home.url)
    home.opened.append(client)
    await client.hello(TOKEN, protocol, **more)
    return client


@pytest.mark.parametrize(
    ("frame", "id", "message"),
    [
        ('{"nope', "invalid", None),
        (b"\xff", "invalid", None),
        ([1], "invalid", "at root: must be object"),
        ({"type": "event", "event": "x"}, "invalid", None),
        ({"type": "req", "id": 7, "method": "health"}, 7, "at /id: must be string"),
        ({"type": "req", "id": "a"}, "a", "must have required property 'method'"),
        (
            {"type": "req", "id": "a", "method": "health", "bogus": 1},
            "a",
            "at root: unexpected property 'bogus'",
        ),
    ],
)
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    frame: Any, id: Any, message: str | None
) -> None:
    async with house() as home:
        client = await raw(home)
        await client.send(frame)
        answer = await client.response()
        assert answer["id"] == id
        assert answer["error"]["code"] == "INVALID_REQUEST"
        assert answer["error"]["message"].startswith("invalid request frame: ")
        if message is not None:
            assert answer["error"]["message"] == f"invalid request frame: {message}"
        assert (await client.call("health"))["ok"]


async def test_half_of_a_character_is_json_and_is_answered_under_its_id() -> None:
    """A program that cuts a text between the halves of an emoji sends it without knowing."""
    async with house() as home:
        client = await raw(home)
        for number in range(12):
            cut = r'"method":"health","params":{"x":"\ud83d"}'
            await client.send(f'{{"type":"req","id":"s{number}",{cut}}}')
            answer = await client.response()
            assert answer["id"] == f"s{number}"
            assert answer["error"]["message"].endswith("half of a surrogate pair in a string")
        assert home.gateway.malformed == 0
        assert (await client.call("health"))["ok"]


async def test_repeated_malformed_frames_close() -> None:
    async with house() as home:
        client = await raw(home)
        for _ in range(11):
            await client.send("{")
        assert await client.closed() == (1008, "repeated malformed frames")


@pytest.mark.parametrize("protocol", [3, 4])
async def test_a_second_connect_and_an_unknown_method(protocol: int) -> None:
    async with house() as home:
        client = await raw(home, protocol)
        answer = await client.call("connect", {})
        assert answer["error"]["message"] == "connect is only valid as the first request"
        answer = await client.call("no.such", {})
        # Protocol 3 left this client without scopes, and asks for the scope first.
        message = "unknown method: no.such" if protocol == 4 else "missing scope: operator.admin"
        assert answer["error"] == {"code": "INVALID_REQUEST", "message": message}


@pytest.mark.parametrize("params", [None, {"x": 1}, [1], "junk"])
async def test_health_and_status_take_any_params(params: Any) -> None:
    async with house() as home:
        client = await raw(home)
        assert (await client.call("health", params))["payload"]["ok"] is True
        assert (await client.call("status", params))["payload"]["runtimeVersion"] == "0.0.test"


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("channels.status", {"bogus": 1}, "at root: unexpected property 'bogus'"),
        ("channels.status", {"timeoutMs": -1}, "at /timeoutMs: must be >= 0"),
        ("channels.start", {}, "must have required property 'channel'"),
        ("send", {"to": "x"}, "must have required property 'idempotencyKey'"),
        ("send", {"to": "x", "idempotencyKey": "k"}, "text or media is required"),
        ("system-presence", [], "at root: must be object"),
        ("events.subscribe", {"cursors": {"irc:x": "soon"}}, "not a cursor: 'soon'"),
    ],
)
async def test_params_are_strict(method: str, params: Any, message: str) -> None:
    async with house() as home:
        answer = await (await raw(home)).call(method, params)
        assert answer["error"] == {
            "code": "INVALID_REQUEST",
            "message": f"invalid {method} params: {message}",
        }


async def test_a_node_may_ask_for_health_only_and_is_closed_when_it_insists() -> None:
    async with house() as home:
        client = await node(home, Key())
        assert (await client.call("health"))["ok"]
        for _ in range(11):
            answer = await client.call("status")
            assert answer["error"]["message"] == "unauthorized role: node"
        assert await client.closed() == (1008, "repeated unauthorized calls")


async def test_duplicate_ids_are_both_answered() -> None:
    async with house() as home:
        client = await raw(home)
        for _ in range(2):
            await client.send({"type": "req", "id": "same", "method": "health"})
        assert [(await client.response())["id"] for _ in range(2)] == ["same", "same"]


async def test_fragments_binary_frames_and_large_frames_are_requests_too() -> None:
    async with house() as home:
        client = await raw(home)
        text = json.dumps({"type": "req", "id": "1", "method": "health", "params": {"é": "é"}})
        await client.socket.send([text[:10], text[10:11], text[11:]])
        assert (await client.response())["ok"]
        await client.send(text.encode())
        assert (await client.response())["ok"]
        large = {"type": "req", "id": "2", "method": "health", "params": {"x": "y" * 5_000_000}}
        await client.send(large)
        assert (await client.response())["id"] == "2"


async def test_last_heartbeat_is_null_and_present() -> None:
    async with house() as home:
        answer = await (await raw(home)).call("last-heartbeat", {})
        assert answer == {"type": "res", "id": "1", "ok": True, "payload": None}


# Channels


async def test_channels_status_has_the_shape_of_the_protocol() -> None:
    rows = row(KEY), row("irc:oftc", "failed", last_error="bad password")
    async with house(*rows) as home:
        client = await raw(home)
        status = (await client.call("channels.status", {}))["payload"]
        assert status["channelOrder"] == ["irc"]
        assert status["channelDefaultAccountId"] == {"irc": "libera"}
        accounts = status["channelAccounts"]["irc"]
        assert [(each["accountId"], each["lifecycle"]) for each in accounts] == [
            ("libera", "ready"),
            ("oftc", "blocked"),
        ]
        assert status["statusIssues"][0]["accountId"] == "oftc"
        unknown = await client.call("channels.status", {"channel": "telegraph"})
        assert unknown["error"]["message"] == "invalid channels.status channel"


async def test_channels_status_probes_running_accounts() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        worker.on_call = lambda call: Answer(call.id, True, b'{"ok":true,"bot":"me"}')
        client = await raw(home)
        status = (await client.call("channels.status", {"probe": True}))["payload"]
        probe = status["channelAccounts"]["irc"][0]["probe"]
        assert probe["ok"] is True
        assert probe["elapsedMs"] >= 0


async def test_a_stop_goes_to_the_supervisor_and_its_answer_comes_back() -> None:
    async with house() as home:
        home.answers["channels.stop"] = {
            "results": [{"account": KEY, "ok": True, "outcome": "stopped", "persisted": True}]
        }
        client = await home.client()
        answer = await client.call("channels.stop", {"channel": "irc", "reason": "tired"})
        assert answer == {"channel": "irc", "accountId": "libera", "stopped": True}
        asked = await home.asked.get()
        assert asked["params"] == {"accounts": [KEY], "reason": "tired"}


async def test_a_stop_that_could_not_be_remembered_says_so() -> None:
    async with house() as home:
        home.answers["channels.stop"] = {
            "results": [{"account": KEY, "ok": True, "outcome": "stopped", "persisted": False}]
        }
        answer = await (await home.client()).call("channels.stop", {"channel": "irc"})
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
    async with house() as home:
        home.answers["channels.start"] = {"results": [row_]}
        answer = await (await home.client()).call("channels.start", {"channel": "irc"})
        assert (answer["started"], answer["outcome"]) == (started, outcome)


async def test_an_error_of_the_supervisor_comes_back_as_it_is() -> None:
    async with house() as home:
        error = {"code": "UNAVAILABLE", "message": "no", "retryable": True, "retryAfterMs": 5}
        home.answers["channels.restart"] = {"ok": False, "error": error}
        client = await raw(home)
        assert (await client.call("channels.restart", {"channel": "irc"}))["error"] == error


async def test_unknown_channels_and_accounts_are_named() -> None:
    async with house() as home:
        client = await home.client()
        with pytest.raises(RemoteError, match=r"invalid channels\.start channel"):
            await client.call("channels.start", {"channel": "nope"})
        with pytest.raises(RemoteError, match="unknown irc account 'nope'; known: libera"):
            await client.call("channels.start", {"channel": "irc", "accountId": "nope"})


async def test_without_the_supervisor_a_stop_fails_at_once() -> None:
    async with house() as home:
        client = await home.client()
        assert home.supervisor is not None
        await home.supervisor.close()
        with pytest.raises(RemoteError) as failure:
            await client.call("channels.stop", {"channel": "irc"})
        assert failure.value.code == "UNAVAILABLE"
        assert failure.value.retryable


async def test_a_session_that_ends_fails_what_it_was_asked() -> None:
    async with house() as home:
        client = await home.client()
        asking = asyncio.create_task(client.call("channels.stop", {"channel": "irc"}))
        await home.asked.get()
        assert home.supervisor is not None
        await home.supervisor.close()
        with pytest.raises(RemoteError, match="may have been executed"):
            await asking


# Sending


async def test_a_message_is_sent_by_its_account() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        seen: list[Any] = []

        def on_call(call: Call) -> Answer:
            seen.append((call.method, msgspec.json.decode(call.params)))
            return Answer(call.id, True, SENT)

        worker.on_call = on_call
        answer = await (await home.client()).call("send", SEND)
        assert answer == {
            "runId": "k-1",
            "messageId": "m-1",
            "channel": "irc",
            "chatId": "#room",
        }
        assert seen == [("send", {"to": "#room", "text": "hi", "key": "k-1"})]


async def test_a_refusal_of_the_plugin_comes_back_as_it_is() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        shape = b'{"code":"UNAVAILABLE","message":"no such nick","retryable":false}'
        worker.on_call = lambda call: Answer(call.id, False, shape)
        answer = await (await raw(home)).call("send", SEND)
        assert answer["error"]["message"] == "no such nick"


async def test_an_account_that_is_not_there_is_unavailable_at_once() -> None:
    async with house(row(KEY, "backoff", last_error="killed")) as home:
        with pytest.raises(RemoteError, match=r"not running \(backoff: killed\)") as failure:
            await (await home.client()).call("send", SEND)
        assert failure.value.code == "UNAVAILABLE"
        assert failure.value.retryable


async def test_a_worker_whose_connection_is_gone_is_unavailable_at_once() -> None:
    async with house() as home:
        client = await home.client()
        worker = await home.worker(KEY)
        worker.close()
        refusals: list[RemoteError] = []
        while not refusals:  # until ZeroMQ has noticed, a call waits for an answer
            try:
                await client.call("send", SEND, timeout=0.05)
            except CallTimeout:
                continue
            except RemoteError as error:
                refusals.append(error)
        assert refusals[0].code == "UNAVAILABLE"
        assert refusals[0].retryable


async def test_a_worker_that_dies_fails_its_calls_at_once() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        called = asyncio.Event()
        worker.on_call = lambda call: called.set()
        client = await home.client()
        sending = asyncio.create_task(client.call("send", SEND))
        await called.wait()
        await home.report(row(KEY, "backoff"))
        with pytest.raises(RemoteError, match="may have been executed") as failure:
            await sending
        assert failure.value.retryable


async def test_a_sibling_cannot_answer_anothers_call() -> None:
    async with house(row(KEY), row("irc:oftc")) as home:
        worker, sibling = await home.worker(KEY), await home.worker("irc:oftc")
        calls: asyncio.Queue[Call] = asyncio.Queue()
        worker.on_call = calls.put_nowait
        client = await home.client()
        sending = asyncio.create_task(client.call("send", SEND))
        call = await calls.get()
        sibling.send(Answer(call.id, True, b'{"id":"forged","chat":"x","ts":1}'))
        sibling.say(1)
        await sibling.next(object)
        worker.send(Answer(call.id, True, SENT))
        assert (await sending)["messageId"] == "m-1"


async def test_too_many_calls_of_one_client_are_answered_busy() -> None:
    async with house() as home:
        worker = await home.worker(KEY)
        calls: list[Call] = []
        worker.on_call = calls.append
        client = await raw(home)
        for number in range(257):
            frame = {"type": "req", "id": str(number), "method": "send", "params": SEND}
            await client.send(frame)
        answer = await client.response()
        assert answer["id"] == "256"
        assert answer["error"] == {
            "code": "UNAVAILABLE",
            "message": "The server is busy. Please try again in a moment.",
            "retryable": True,
        }
        await until(lambda: len(calls) == 256)
        worker.send(*(Answer(call.id, True, SENT) for call in calls))
        answered = {(await client.response())["id"] for _ in range(256)}
        assert answered == {str(number) for number in range(256)}
