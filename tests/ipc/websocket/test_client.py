"""One session against a real WebSocket server that behaves as each test says."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.protocol import State

from ipc.errors import CallTimeout, PeerGone, RemoteError
from ipc.frames.websocket import Event
from ipc.websocket.client import Client
from tests.support.scripted import Side, scripted, welcoming
from tests.support.until import until


async def test_over_a_unix_socket(short_path: Path) -> None:
    path = short_path / "cli.sock"
    async with scripted(welcoming, path=path), await Client.connect(unix=path) as client:
        assert client.place == str(path)


async def test_calls_are_answered_in_any_order() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        one, two = await side.request(), await side.request()
        assert "params" not in one
        assert two["params"] == {"a": 1}
        for request in (two, one):
            await side.say(type="res", id=request["id"], ok=True, payload=request["method"])

    async with scripted(script) as server, await Client.connect(server.url) as client:
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

    async with scripted(script) as server, await Client.connect(server.url) as client:
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

    async with scripted(script) as server, await Client.connect(server.url) as client:
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

    async with scripted(script) as server:
        client = await Client.connect(server.url)
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

    async with scripted(script) as server, await Client.connect(server.url) as client:
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

    async with scripted(script) as there:
        client = await Client.connect(there.url)
        # Before the client has seen it.
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

    async with scripted(script) as there, await Client.connect(there.url) as client:
        assert not client.ending
        assert await client.call("health") == "answered"
        assert client.ending


async def test_an_end_without_a_close_frame_is_1006() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        side.abort()

    async with scripted(script) as server, await Client.connect(server.url) as client:
        assert await client.closed == (1006, "")


async def test_giving_up_on_closed_does_not_end_the_session() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.answer("still here")

    async with scripted(script) as server, await Client.connect(server.url) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.closed, 0.01)
        assert await client.call("x") == "still here"


async def test_events_are_iterated_until_the_end() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        for number in range(3):
            await side.say(type="event", event="tick", payload={"n": number}, seq=number + 1)
        await side.connection.close()

    async with scripted(script) as server, await Client.connect(server.url) as client:
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

    async with (
        scripted(script) as server,
        await Client.connect(server.url, on_event=listen) as client,
    ):
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

    async with scripted(script) as server, await Client.connect(server.url) as client:
        await client.call("x")
        assert client.gaps == 2


async def test_frames_that_make_no_sense_are_counted_and_skipped() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        for data in ("", "[]", '{"type":"res","id":"1"}', b"\xff\xfe", '{"type":"other"}'):
            await side.raw(data)
        await side.say(type="res", id="99", ok=True)
        await side.say(type="res", id="not ours", ok=True)
        await side.say(type="res", id=-5, ok=True)
        await side.answer("fine")

    async with scripted(script) as server, await Client.connect(server.url) as client:
        assert await client.call("x") == "fine"
        assert client.malformed == 5
        assert client.late == 3


async def test_a_large_answer_arrives() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        await side.answer("x" * 20_000_000)

    async with scripted(script) as server, await Client.connect(server.url) as client:
        assert len(await client.call("x")) == 20_000_000
