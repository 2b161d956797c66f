"""The client that stays, against real WebSocket servers that begin, end and fall silent."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ipc.errors import CallTimeout, ConnectionFailed, IpcError, PeerGone, RemoteError
from ipc.frames.websocket import Event
from ipc.websocket.reconnecting import GAP, LOST, OPENED, ReconnectingClient, Subscription
from tests.support.scripted import HELLO, Side, scripted, welcoming
from tests.support.until import PATIENCE, until

REPEATABLE = {"always": ["logs.tail"], "withKey": ["send"]}
OURS = HELLO | {"features": {"methods": ["events.subscribe"], "repeatable": REPEATABLE}}
BUSY = {"code": "UNAVAILABLE", "message": "gateway starting", "retryable": True}
STARTING = BUSY | {"details": {"reason": "startup-sidecars"}, "retryAfterMs": 100}


def dies_after(requests: int) -> Callable[[Side], Any]:
    """Take some requests, answer none, and be gone as a killed process is."""

    async def script(side: Side) -> None:
        await side.welcome(OURS)
        for _ in range(requests):
            await side.request()
        side.abort()

    return script


def ends_after(requests: int) -> Callable[[Side], Any]:
    """Take some requests, answer none, close for a restart."""

    async def script(side: Side) -> None:
        await side.welcome(OURS)
        for _ in range(requests):
            await side.request()
        await side.connection.close(1012, "service restart")

    return script


def ends_when(go: asyncio.Event) -> Callable[[Side], Any]:
    async def script(side: Side) -> None:
        await side.welcome(OURS)
        await go.wait()
        await side.connection.close(1012, "service restart")

    return script


async def answering(side: Side) -> None:
    await side.welcome(OURS)
    while True:
        await side.answer("done")


async def refusing(side: Side) -> None:
    await side.refuse(STARTING, 1013, "gateway starting")


def names(events: list[Event]) -> list[str]:
    return [event.event for event in events]


def decoded(event: Event) -> Any:
    assert isinstance(event.payload, msgspec.Raw)
    return msgspec.json.decode(event.payload)


async def test_another_session_is_opened_when_one_ends() -> None:
    heard: list[Event] = []
    go = asyncio.Event()
    async with (
        scripted(ends_when(go), refusing, answering) as server,
        ReconnectingClient(server.url, on_event=heard.append) as client,
    ):
        go.set()
        await until(lambda: client.sessions == 2)
        assert await client.call("health") == "done"
        assert server.connections == 3
    assert names(heard) == [OPENED, LOST, OPENED]
    assert decoded(heard[0]) == OURS
    assert decoded(heard[1]) == {"reason": "closed with 1012 service restart"}


async def test_a_call_waits_for_the_next_session() -> None:
    go = asyncio.Event()
    async with (
        scripted(ends_when(go), answering) as server,
        ReconnectingClient(server.url) as client,
    ):
        go.set()
        await until(lambda: not client.connected)
        assert await client.call("send", {"to": "x"}) == "done"
        assert client.repeated == 0


@pytest.mark.parametrize(
    ("method", "params"),
    [("logs.tail", None), ("send", {"idempotencyKey": "k"}), ("mine", None)],
)
async def test_what_does_no_harm_twice_is_asked_again(method: str, params: Any) -> None:
    async with (
        scripted(dies_after(1), answering) as server,
        ReconnectingClient(server.url, safe=["mine"]) as client,
    ):
        assert await client.call(method, params) == "done"
        assert client.repeated == 1


@pytest.mark.parametrize(
    ("method", "params"),
    [("send", {"to": "x"}), ("other", {"idempotencyKey": "k"}), ("send", None)],
)
async def test_what_may_have_been_executed_is_not_asked_again(method: str, params: Any) -> None:
    async with (
        scripted(dies_after(1), answering) as server,
        ReconnectingClient(server.url) as client,
    ):
        with pytest.raises(PeerGone) as gone:
            await client.call(method, params)
        assert gone.value.maybe_executed
        assert await client.call(method, params, safe=True) == "done"
        assert client.repeated == 0


async def test_what_a_restarting_gateway_has_not_answered_was_not_executed() -> None:
    async with (
        scripted(ends_after(1), answering) as server,
        ReconnectingClient(server.url) as client,
    ):
        assert await client.call("send", {"to": "x"}) == "done"
        assert client.repeated == 0


async def test_one_call_may_be_declared_safe() -> None:
    async with (
        scripted(dies_after(1), answering) as server,
        ReconnectingClient(server.url) as client,
    ):
        assert await client.call("other", safe=True) == "done"
        assert client.repeated == 1


async def test_a_refusal_because_of_the_restart_is_waited_out() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        request = await side.request()
        error = BUSY | {"details": {"reason": "gateway-restarting"}, "retryAfterMs": 100}
        await side.say(type="res", id=request["id"], ok=False, error=error)
        await side.answer("done")

    async with scripted(script) as server, ReconnectingClient(server.url) as client:
        assert await client.call("send", {"to": "x"}) == "done"
        with pytest.raises(CallTimeout):
            await client.call("send", {"to": "x"}, timeout=0.05)


async def test_other_refusals_are_the_callers() -> None:
    async def script(side: Side) -> None:
        await side.welcome()
        request = await side.request()
        await side.say(type="res", id=request["id"], ok=False, error=BUSY)

    async with scripted(script) as server, ReconnectingClient(server.url) as client:
        with pytest.raises(RemoteError, match="gateway starting"):
            await client.call("send")


async def test_a_gateway_that_shuts_down_answers_what_it_owes() -> None:
    """Its answer comes after the next session is open, and new calls go there."""
    go_on = asyncio.Event()

    async def old(side: Side) -> None:
        await side.welcome(OURS)
        request = await side.request()
        await side.say(type="event", event="shutdown", payload={})
        await go_on.wait()
        await side.say(type="res", id=request["id"], ok=True, payload="old")
        await side.connection.close(1012)

    async with scripted(old, answering) as server, ReconnectingClient(server.url) as client:
        owed = asyncio.create_task(client.call("send"))
        await until(lambda: client.sessions == 2)
        assert await client.call("send") == "done"
        go_on.set()
        assert await owed == "old"
        assert client.repeated == 0


async def test_a_wrong_secret_fails_at_once_and_for_good() -> None:
    mismatch = {
        "code": "INVALID_REQUEST",
        "message": "unauthorized: gateway token mismatch",
        "details": {"code": "AUTH_TOKEN_MISMATCH"},
    }

    async def script(side: Side) -> None:
        await side.refuse(mismatch, 1008, "unauthorized")

    async with scripted(script) as server:
        client = ReconnectingClient(server.url, token="wrong")
        with pytest.raises(RemoteError, match="token mismatch"):
            await client.open()
        assert server.connections == 1


async def test_a_secret_that_has_changed_ends_a_client_that_was_in() -> None:
    async def refused(side: Side) -> None:
        error = {"code": "INVALID_REQUEST", "message": "unauthorized: wrong"}
        await side.refuse(error, 1008, "unauthorized")

    go = asyncio.Event()
    async with scripted(ends_when(go), refused) as server, ReconnectingClient(server.url) as client:
        go.set()
        assert names([event async for event in client.events()]) == [OPENED, LOST]
        for waiting in (client.opened(), client.call("health")):
            with pytest.raises(RemoteError, match="unauthorized"):
                await waiting
        assert isinstance(client.ended, RemoteError)
        assert server.connections == 2


async def test_no_common_protocol_fails_at_once() -> None:
    async def script(side: Side) -> None:
        error = {"code": "INVALID_REQUEST", "message": "protocol mismatch"}
        await side.refuse(error, 1002, "protocol mismatch")

    async with scripted(script) as server:
        with pytest.raises(RemoteError, match="protocol mismatch"):
            await ReconnectingClient(server.url, min_protocol=9, max_protocol=9).open()
        assert server.connections == 1


async def test_where_nobody_listens_it_fails_at_once_and_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ConnectionFailed, match="refused") as error:
            await ReconnectingClient(url, timeout=60).open()
        assert time.monotonic() - began < 5
    assert url in str(error.value)


async def test_a_gateway_that_stays_away_fails_calls_at_once_until_it_is_back() -> None:
    """It is tried again all the time, and ``opened`` waits for it."""
    async with scripted(welcoming) as server:
        client = ReconnectingClient(server.url)
        await client.open()
        port = int(server.url.rpartition(":")[2])
    try:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionFailed, match=r"refused|before hello"):
                await client.call("health")
        waiting = asyncio.create_task(client.opened())
        async with scripted(answering, port=port):
            async with asyncio.timeout(PATIENCE):
                await waiting
                assert await client.call("health") == "done"
            await client.close()
    finally:
        await client.close()


async def test_patience_ends() -> None:
    async with scripted(welcoming) as server:
        client = ReconnectingClient(server.url, patience=0.1)
        await client.open()
    await until(lambda: client.ended)
    for waiting in (client.opened(), client.call("health")):
        with pytest.raises(ConnectionFailed):
            await waiting
    await client.close()


async def test_a_server_that_accepts_and_is_silent_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=r"within 0\.1 s"):
            await ReconnectingClient(url, timeout=0.1).open()


async def test_a_gateway_that_falls_silent_is_left() -> None:
    async def mute(side: Side) -> None:
        await side.welcome(OURS | {"policy": {"tickIntervalMs": 50}})
        await side.request()

    heard: list[Event] = []
    async with (
        scripted(mute, answering) as server,
        ReconnectingClient(server.url, on_event=heard.append) as client,
    ):
        assert await client.call("logs.tail") == "done"
        assert client.repeated == 1
    assert decoded(heard[1]) == {"reason": "silent for 0.1 s"}


async def test_a_call_that_no_session_comes_for_says_what_happened() -> None:
    go = asyncio.Event()
    async with (
        scripted(ends_when(go), refusing) as server,
        ReconnectingClient(server.url) as client,
    ):
        go.set()
        await until(lambda: not client.connected)
        with pytest.raises(ConnectionFailed, match=r"no session within 0\.2 s"):
            await client.call("health", timeout=0.2)


def message(cursor: str) -> dict[str, Any]:
    return {
        "type": "event",
        "event": "channel.message",
        "payload": {"account": "irc:a", "cursor": cursor},
    }


async def test_what_was_missed_is_asked_for_and_comes_once() -> None:
    asked: list[Any] = []

    go = asyncio.Event()

    def tells(*cursors: str, ends: bool = False) -> Callable[[Side], Any]:
        async def script(side: Side) -> None:
            await side.welcome(OURS)
            asked.append((await side.answer({"ok": True}))["params"])
            for cursor in cursors:
                await side.say(**message(cursor))
            await side.answer()
            if ends:
                await go.wait()
                await side.connection.close(1012)

        return script

    heard: list[Event] = []
    wanted = Subscription(accounts=["irc:a"], events=["channel.message"])
    async with (
        scripted(tells("1:1", "1:2", ends=True), tells("1:2", "1:3")) as server,
        ReconnectingClient(server.url, on_event=heard.append, subscribe=wanted) as client,
    ):
        await client.call("health")
        go.set()
        await until(lambda: client.sessions == 2)
        await client.call("health")
    accounts = {"accounts": ["irc:a"], "events": ["channel.message"]}
    assert asked[0] == {"cursors": {}} | accounts
    assert asked[1] == {"cursors": {"irc:a": "1:2"}} | accounts
    told = [decoded(each)["cursor"] for each in heard if each.event == "channel.message"]
    assert told == ["1:1", "1:2", "1:3"]
    assert client.duplicates == 1


async def test_where_a_subscription_begins_is_asked_for_before_any_event_has_come() -> None:
    asked: list[Any] = []
    go = asyncio.Event()

    async def script(side: Side) -> None:
        await side.welcome(OURS)
        positions = {"irc:a": "1:7", "*": "0:0"}
        asked.append((await side.answer({"ok": True, "cursors": positions}))["params"])
        await go.wait()
        await side.connection.close(1012)

    async with (
        scripted(script, answering) as server,
        ReconnectingClient(server.url, subscribe=Subscription()) as client,
    ):
        server.scripts[1] = script
        go.set()
        await until(lambda: len(asked) > 1)
        await client.opened()
    assert asked[:2] == [{"cursors": {}}, {"cursors": {"irc:a": "1:7", "*": "0:0"}}]


async def test_the_capability_lets_no_event_come_before_those_that_were_missed() -> None:
    asked: list[Any] = []

    async def script(side: Side) -> None:
        asked.append((await side.welcome(OURS))["caps"])
        asked.append((await side.answer({"ok": True}))["params"])

    async with (
        scripted(script) as server,
        ReconnectingClient(server.url, caps=("mine", "channel-events")),
    ):
        pass
    assert asked == [["mine", "repeatable-methods"], {"cursors": {}}]


async def test_what_an_ending_session_still_brings_is_left_to_the_next_one() -> None:
    """Otherwise both would bring it, and the incarnations would come in a mixed order."""
    both, brought = asyncio.Event(), asyncio.Event()

    async def old(side: Side) -> None:
        await side.welcome(OURS)
        await side.answer({"ok": True})
        await side.say(**message("1:1"))
        await side.say(type="event", event="shutdown", payload={})
        await both.wait()
        await side.say(**message("1:2"))
        await side.say(type="event", event="tick", payload={})
        await side.request()

    async def new(side: Side) -> None:
        await side.welcome(OURS)
        await side.answer({"ok": True})
        for cursor in ("1:2", "2:1"):
            await side.say(**message(cursor))
        both.set()
        await brought.wait()
        await side.say(**message("2:2"))
        await side.answer()

    heard: list[Event] = []
    async with (
        scripted(old, new) as server,
        ReconnectingClient(
            server.url, on_event=heard.append, subscribe=Subscription(accounts=["irc:a"])
        ) as client,
    ):
        await until(lambda: "tick" in names(heard))
        brought.set()
        await client.call("health")
    told = [decoded(each)["cursor"] for each in heard if each.event == "channel.message"]
    assert told == ["1:1", "1:2", "2:1", "2:2"]
    assert client.duplicates == 0


@pytest.mark.parametrize(
    "wanted",
    [["channel.message"], ["channel.event"], ["channel.event", "channel.message"]],
)
async def test_what_else_has_happened_is_no_gap_and_comes_only_where_it_is_wanted(
    wanted: list[str],
) -> None:
    asked: list[Any] = []
    known = ["channel.message", "channel.event"]
    features = {"methods": ["events.subscribe"], "events": known}

    async def script(side: Side) -> None:
        await side.welcome(OURS | {"features": features})
        asked.append((await side.answer({"ok": True}))["params"]["events"])
        for cursor, name in (("1:1", "message"), ("1:2", "event"), ("1:3", "message")):
            await side.say(**message(cursor) | {"event": f"channel.{name}"})
        await side.answer()

    heard: list[Event] = []
    async with (
        scripted(script) as server,
        ReconnectingClient(
            server.url, on_event=heard.append, subscribe=Subscription(events=wanted)
        ) as client,
    ):
        await client.call("health")
    assert asked == [["channel.event", "channel.message"]]
    told = [event.event for event in heard if event.event != OPENED]
    came = ["channel.message", "channel.event", "channel.message"]
    assert told == [name for name in came if name in wanted]


async def test_gaps_are_told_before_what_follows_them() -> None:
    async def script(side: Side) -> None:
        await side.welcome(OURS)
        for seq in (1, 4):
            await side.say(type="event", event="tick", seq=seq)
        for cursor in ("1:1", "1:3"):
            await side.say(**message(cursor))
        gap = {"account": "irc:a", "after": "1:3"}
        await side.say(type="event", event="channel.gap", payload=gap)
        await side.say(**message("1:9"))
        await side.say(type="event", event="channel.message", payload=["a stranger's"])
        await side.answer()

    heard: list[Event] = []
    async with (
        scripted(script) as server,
        ReconnectingClient(server.url, on_event=heard.append) as client,
    ):
        await client.call("health")
    message_, gap = "channel.message", "channel.gap"
    expected = [OPENED, "tick", GAP, "tick", message_, GAP, message_, gap, message_, message_]
    assert names(heard) == expected
    gaps = [decoded(event) for event in heard if event.event == GAP]
    assert gaps == [{"missing": 2}, {"account": "irc:a", "after": "1:1", "next": "1:3"}]


async def test_in_protocol_3_numbers_count_for_everybody_and_tell_nothing() -> None:
    async def script(side: Side) -> None:
        await side.welcome(HELLO | {"protocol": 3})
        for seq in (1, 4):
            await side.say(type="event", event="tick", seq=seq)
        await side.answer()

    heard: list[Event] = []
    async with (
        scripted(script) as server,
        ReconnectingClient(server.url, on_event=heard.append) as client,
    ):
        await client.call("health")
        assert client.protocol == 3
    assert names(heard) == [OPENED, "tick", "tick"]


async def test_a_subscription_that_is_refused_ends_the_client() -> None:
    async def script(side: Side) -> None:
        await side.welcome(OURS)
        request = await side.request()
        error = {"code": "FORBIDDEN", "message": "missing scope: operator.read"}
        await side.say(type="res", id=request["id"], ok=False, error=error)

    async with scripted(script) as server:
        with pytest.raises(RemoteError, match="missing scope"):
            await ReconnectingClient(server.url, subscribe=Subscription()).open()


async def test_a_session_that_ends_while_subscribing_is_replaced() -> None:
    async with (
        scripted(dies_after(1), answering) as server,
        ReconnectingClient(server.url, subscribe=Subscription()) as client,
    ):
        assert client.sessions == 2


async def test_a_fault_of_ours_lets_nobody_wait() -> None:
    async with scripted(welcoming) as server:
        client = ReconnectingClient(server.url, client={"displayName": object()})
        with pytest.raises(IpcError, match="TypeError"):
            await client.open()


async def test_closing_fails_what_waits() -> None:
    go = asyncio.Event()
    async with scripted(ends_when(go), refusing) as server:
        client = ReconnectingClient(server.url)
        await client.open()
        go.set()
        await until(lambda: not client.connected)
        waiting = asyncio.create_task(client.call("health"))
        await asyncio.sleep(0)
        await client.close()
        await client.close()
        with pytest.raises(PeerGone) as gone:
            await waiting
        assert not gone.value.maybe_executed


async def test_opening_may_be_cancelled() -> None:
    async with scripted(refusing) as server:
        opening = asyncio.create_task(ReconnectingClient(server.url).open())
        await until(lambda: server.connections > 0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_over_a_unix_socket(short_path: Any) -> None:
    path = short_path / "cli.sock"
    async with scripted(welcoming, path=path), ReconnectingClient(unix=path) as client:
        assert client.place == str(path)
        assert client.hello == HELLO


async def test_who_stops_waiting_for_its_end_spoils_it_for_nobody() -> None:
    async with scripted(answering) as server:
        client = ReconnectingClient(server.url)
        await client.open()
        waiting = [asyncio.ensure_future(client.closed) for _ in range(2)]
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        await client.close()
        await waiting[1]
        assert client.closed.done()
