"""The client against a real WebSocket server that behaves as each test says."""

from __future__ import annotations

import asyncio
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.protocol import State

from ipc.errors import CallTimeout, ConnectionFailed, PeerGone, RemoteError
from ipc.frames.websocket import Event
from ipc.websocket import inbox
from ipc.websocket.client import Client
from tests.support.scripted import CHALLENGE, HELLO, Side, house, welcoming
from tests.support.until import until


async def test_connects_with_everything_the_protocol_asks_for() -> None:
    said: list[dict[str, Any]] = []

    async def script(side: Side) -> None:
        said.append(await side.welcome())

    async with house(script) as home:
        client = await Client.connect(
            home.url,
            token="secret",
            client={"id": "cli", "mode": "cli", "version": "1.2"},
            caps=["channel-events"],
            scopes=["operator.read"],
        )
        async with client:
            assert client.hello == HELLO
            assert client.protocol == 4
        await client.close()
    assert said[0]["auth"] == {"token": "secret"}
    assert said[0]["client"] == {
        "id": "cli",
        "mode": "cli",
        "version": "1.2",
        "platform": "linux",
    }
    assert (said[0]["minProtocol"], said[0]["maxProtocol"]) == (3, 4)
    assert said[0]["role"] == "operator"
    assert said[0]["scopes"] == ["operator.read"]
    assert said[0]["caps"] == ["channel-events"]


async def test_without_secrets_there_is_no_auth_and_the_defaults_are_a_backend() -> None:
    said: list[dict[str, Any]] = []

    async def script(side: Side) -> None:
        said.append(await side.welcome())

    async with house(script) as home, await Client.connect(home.url):
        pass
    assert "auth" not in said[0]
    assert said[0]["client"]["id"] == "gateway-client"
    assert said[0]["client"]["mode"] == "backend"
    assert "operator.admin" in said[0]["scopes"]


async def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "cli.sock"
    async with house(welcoming, path=path), await Client.connect(unix=path) as client:
        assert client.place == str(path)


async def test_calls_are_answered_in_any_order() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        one, two = await side.request(), await side.request()
        assert "params" not in one
        assert two["params"] == {"a": 1}
        for request in (two, one):
            await side.say(type="res", id=request["id"], ok=True, payload=request["method"])

    async with house(script) as home, await Client.connect(home.url) as client:
        got = await asyncio.gather(client.call("one"), client.call("two", {"a": 1}))
        assert list(got) == ["one", "two"]


async def test_a_refusal_carries_everything() -> None:
    error = {
        "code": "UNAVAILABLE",
        "message": "busy",
        "details": {"reason": "x"},
        "retryable": True,
        "retryAfterMs": 250,
    }

    async def script(side: Side) -> None:
        await side.welcome()
        await side.answer(ok=False, error=error)
        await side.answer(ok=False, error={"code": "FORBIDDEN", "message": "no"})
        await side.answer(ok=False)

    async with house(script) as home, await Client.connect(home.url) as client:
        with pytest.raises(RemoteError, match="UNAVAILABLE: busy") as caught:
            await client.call("x")
        assert caught.value.details == {"reason": "x"}
        assert (caught.value.retryable, caught.value.retry_after_ms) == (True, 250)
        with pytest.raises(RemoteError) as caught:
            await client.call("x")
        assert (caught.value.details, caught.value.retryable) == (None, False)
        assert caught.value.retry_after_ms is None
        with pytest.raises(RemoteError, match="without a reason"):
            await client.call("x")


async def test_no_answer_in_time_and_then_too_late() -> None:
    release = asyncio.Event()

    async def script(side: Side) -> None:
        await side.welcome()
        request = await side.request()
        await release.wait()
        await side.say(type="res", id=request["id"], ok=True)
        await side.answer("second")

    async with house(script) as home, await Client.connect(home.url) as client:
        with pytest.raises(CallTimeout, match=r"slow: no answer within 0.05 s"):
            await client.call("slow", timeout=0.05)
        release.set()
        assert await client.call("next") == "second"
        assert client.late == 1


async def test_a_server_that_stops_reading_cannot_hold_a_call_beyond_its_time() -> None:
    release = asyncio.Event()

    async def script(side: Side) -> None:
        await side.welcome()
        side.connection.transport.pause_reading()
        await release.wait()
        side.abort()

    async with house(script) as home:
        client = await Client.connect(home.url)
        begin = time.monotonic()
        with pytest.raises(CallTimeout):
            await client.call("x", "y" * 20_000_000, timeout=0.2)
        assert time.monotonic() - begin < 5
        release.set()
        assert await client.closed == (1006, "")
        await client.close()


async def test_pending_calls_fail_when_the_session_ends() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.request()
        await side.connection.close(1012, "service restart")

    async with house(script) as home, await Client.connect(home.url) as client:
        with pytest.raises(PeerGone) as caught:
            await client.call("send", {"x": 1})
        assert caught.value.maybe_executed
        assert await client.closed == (1012, "service restart")
        with pytest.raises(PeerGone) as caught:
            await client.call("send")
        assert not caught.value.maybe_executed


async def test_what_is_called_after_the_close_frame_was_not_sent() -> None:
    """The close frame is there before the reader has had a turn to take note of it."""

    async def script(side: Side) -> None:
        await side.welcome()
        await side.connection.close(1012, "service restart")

    async with house(script) as there:
        client = await Client.connect(there.url)
        await until(lambda: client._connection.state is not State.OPEN)
        with pytest.raises(PeerGone) as caught:
            await client.call("health")
        assert not caught.value.maybe_executed
        assert await client.closed == (1012, "service restart")
        await client.close()


async def test_a_session_says_when_it_is_about_to_end() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.request()
        await side.say(type="event", event="shutdown", payload={"reason": "gateway restarting"})
        await side.say(type="res", id="1", ok=True, payload="answered")
        await side.connection.wait_closed()

    async with house(script) as there, await Client.connect(there.url) as client:
        assert not client.ending
        assert await client.call("health") == "answered"
        assert client.ending


async def test_an_end_without_a_close_frame_is_1006() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        side.abort()

    async with house(script) as home, await Client.connect(home.url) as client:
        assert await client.closed == (1006, "")


async def test_giving_up_on_closed_does_not_end_the_session() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.answer("still here")

    async with house(script) as home, await Client.connect(home.url) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.closed, 0.01)
        assert await client.call("x") == "still here"


async def test_events_are_iterated_until_the_end() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        for number in range(3):
            await side.say(type="event", event="tick", payload={"n": number}, seq=number + 1)
        await side.connection.close()

    async with house(script) as home, await Client.connect(home.url) as client:
        got = [msgspec.json.decode(event.payload) async for event in client.events()]  # type: ignore[arg-type]
    assert got == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_a_listener_gets_events_at_once_and_its_faults_stay_its_own() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    heard: list[str] = []

    def listen(event: Event) -> None:
        heard.append(event.event)
        if event.event == "bad":
            raise ValueError("cannot take it")

    async def script(side: Side) -> None:
        await side.welcome()
        await side.say(type="event", event="bad")
        await side.say(type="event", event="good")
        await side.answer("done")

    async with house(script) as home, await Client.connect(home.url, on_event=listen) as client:
        assert await client.call("x") == "done"
    assert heard == ["bad", "good"]
    assert len(faults) == 1


async def test_gaps_are_counted_per_missing_event() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        for seq in (5, 6, 9, 10):
            await side.say(type="event", event="tick", seq=seq)
        await side.say(type="event", event="channel.message")
        await side.answer()

    async with house(script) as home, await Client.connect(home.url) as client:
        await client.call("x")
        assert client.gaps == 2


async def test_events_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "EVENTS_KEPT", 3)

    async def script(side: Side) -> None:
        await side.welcome()
        for number in range(5):
            await side.say(type="event", event=f"e{number}")
        await side.answer()
        await side.connection.close()

    async with house(script) as home, await Client.connect(home.url) as client:
        await client.call("x")
        assert [event.event async for event in client.events()] == ["e2", "e3", "e4"]
        assert client.dropped == 2


async def test_frames_that_make_no_sense_are_counted_and_skipped() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        for data in ("", "[]", '{"type":"res","id":"1"}', b"\xff\xfe", '{"type":"other"}'):
            await side.raw(data)
        await side.say(type="res", id="99", ok=True)
        await side.say(type="res", id="not ours", ok=True)
        await side.say(type="res", id=-5, ok=True)
        await side.answer("fine")

    async with house(script) as home, await Client.connect(home.url) as client:
        assert await client.call("x") == "fine"
        assert client.malformed == 5
        assert client.late == 3


REFUSAL = {"code": "INVALID_REQUEST", "message": "unauthorized: gateway token mismatch"}
STARTING = {
    "code": "UNAVAILABLE",
    "message": "gateway starting; retry shortly",
    "details": {"reason": "startup-sidecars"},
    "retryable": True,
    "retryAfterMs": 1,
}


async def test_a_wrong_token_is_a_refusal_and_never_tried_again() -> None:
    async def script(side: Side) -> None:
        await side.refuse(REFUSAL, 1008, "unauthorized")

    async with house(script) as home:
        with pytest.raises(RemoteError, match="token mismatch"):
            await Client.connect(home.url, token="wrong", retry=(0.01, 0.01))
        assert home.connections == 1


async def test_a_starting_gateway_is_tried_again_after_the_time_it_asks_for() -> None:
    async def script(side: Side) -> None:
        await side.refuse(STARTING, 1013, "gateway starting")

    async with house(script, script, welcoming) as home:
        begin = time.monotonic()
        async with await Client.connect(home.url, retry=(9, 9)) as client:
            assert client.protocol == 4
        assert 0.2 <= time.monotonic() - begin < 5, "at least 0.1 s each, not the 9 s of a close"
        assert home.connections == 3


@pytest.mark.parametrize("code", [1000, 1001, 1012, 1013])
async def test_a_close_of_a_restart_is_tried_again(code: int) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(code)

    async with house(script, welcoming) as home:
        async with await Client.connect(home.url, retry=(0.01,)):
            pass
        assert home.connections == 2


async def test_a_gateway_that_dies_before_hello_is_tried_again() -> None:
    async def early(side: Side) -> None:
        side.abort()

    async def late(side: Side) -> None:
        await side.say(**CHALLENGE)
        await side.request()
        side.abort()

    async with house(early, late, welcoming) as home:
        async with await Client.connect(home.url, retry=(0.01, 0.01)):
            pass
        assert home.connections == 3


async def test_retries_end(tmp_path: Path) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(1012, "service restart")

    async with house(script) as home:
        with pytest.raises(ConnectionFailed, match=r"closed before hello with 1012") as caught:
            await Client.connect(home.url, retry=(0.01, 0.01))
        assert (caught.value.code, caught.value.retryable) == (1012, True)
        assert home.connections == 3


@pytest.mark.parametrize("code", [1002, 1008, 1009, 4001])
async def test_a_close_for_cause_is_not(code: int) -> None:
    async def script(side: Side) -> None:
        await side.connection.close(code, "why")

    async with house(script, welcoming) as home:
        with pytest.raises(ConnectionFailed, match=rf"{code} \(why\)") as caught:
            await Client.connect(home.url, retry=(0.01,))
        assert not caught.value.retryable
        assert home.connections == 1


async def test_no_listener_fails_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        begin = time.monotonic()
        with pytest.raises(ConnectionFailed) as caught:
            await Client.connect(f"ws://127.0.0.1:{taken.getsockname()[1]}", retry=(5, 5))
    assert caught.value.retryable
    with pytest.raises(ConnectionFailed, match=r"cli\.sock: No such file") as caught:
        await Client.connect(unix=tmp_path / "cli.sock", retry=(5, 5))
    assert caught.value.retryable
    assert time.monotonic() - begin < 3


async def test_something_else_that_listens_is_told_apart() -> None:
    async def not_a_gateway(side: Side) -> None:
        await side.raw("hello world")

    async with house(not_a_gateway) as home:
        with pytest.raises(ConnectionFailed, match="no gateway there") as caught:
            await Client.connect(home.url)
        assert not caught.value.retryable
    with pytest.raises(ConnectionFailed, match="no gateway there"):
        await Client.connect("http://127.0.0.1:1")


@pytest.mark.parametrize(("status", "retryable"), [(503, True), (404, False)])
async def test_an_http_answer_is_named(status: int, retryable: bool) -> None:
    def reject(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async with house(welcoming, process_request=reject) as home:
        with pytest.raises(ConnectionFailed, match=f"HTTP {status}") as caught:
            await Client.connect(home.url)
        assert caught.value.retryable is retryable


async def test_silence_before_the_challenge_ends_the_try() -> None:
    async def silent(side: Side) -> None:
        await side.connection.wait_closed()

    async with house(silent) as home:
        with pytest.raises(ConnectionFailed, match=r"no hello within 0.1 s"):
            await Client.connect(home.url, timeout=0.1)


async def test_a_backlog_that_nobody_accepts_ends_the_try() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(ConnectionFailed, match=r"no connect within 0.1 s"):
            await Client.connect(f"ws://127.0.0.1:{listening.getsockname()[1]}", timeout=0.1)


async def test_connecting_can_be_cancelled() -> None:
    met = asyncio.Event()

    async def silent(side: Side) -> None:
        met.set()
        await side.connection.wait_closed()

    async with house(silent) as home:
        connecting = asyncio.create_task(Client.connect(home.url))
        await met.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting


async def test_a_hello_that_is_no_object_is_an_empty_one() -> None:
    async def script(side: Side) -> None:
        await side.welcome(hello=[])

    async with house(script) as home, await Client.connect(home.url) as client:
        assert (client.hello, client.protocol) == ({}, 0)


async def test_a_large_answer_arrives() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.answer("x" * 20_000_000)

    async with house(script) as home, await Client.connect(home.url) as client:
        assert len(await client.call("x")) == 20_000_000
