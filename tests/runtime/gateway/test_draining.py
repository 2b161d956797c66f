"""The end of a gateway: nobody is refused, no call is lost, everybody is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from ipc.errors import IpcError, PeerGone, RemoteError
from ipc.frames.data import Answer, Call
from ipc.frames.websocket import Event
from ipc.websocket.backoff import is_starting
from ipc.websocket.client import Client
from ipc.websocket.reconnecting import REPEATABLE
from runtime.gateway import draining
from runtime.gateway.draining import drain
from runtime.gateway.main import main
from tests.support.gateway_rig import SESSION, TOKEN, boot_of, gateway_rig, row
from tests.support.handshakes import greeted
from tests.support.rawclient import RawClient, connect_params
from tests.support.until import PATIENCE, until

KEY = "irc:libera"
IN_DOUBT = "the request may have been executed"


async def test_clients_are_told_and_closed_with_1012() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        ending = asyncio.create_task(drain(rig.gateway))
        while (event := await client.next())["event"] != "shutdown":
            pass
        assert event["payload"] == {"reason": "gateway restarting", "restartExpectedMs": 500}
        assert await client.closed() == (1012, "service restart")
        await ending


async def test_a_gateway_that_ends_for_good_says_so() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        assert rig.supervisor is not None
        await rig.supervisor.call("gateway.closing", {"restarting": False})
        ending = asyncio.create_task(drain(rig.gateway))
        while (event := await client.next())["event"] != "shutdown":
            pass
        assert event["payload"] == {"reason": "gateway stopping"}
        await ending


async def test_a_late_connect_is_told_to_come_back_and_a_silent_socket_gets_1000() -> None:
    async with gateway_rig() as rig:
        late, silent = await RawClient.open(rig.url), await RawClient.open(rig.url)
        rig.opened += [late, silent]
        ending = asyncio.create_task(drain(rig.gateway))
        await until(lambda: rig.parts.readiness.draining)
        answer = await late.call("connect", connect_params(TOKEN))
        assert answer["error"]["details"] == {"reason": "startup-sidecars"}
        assert answer["error"]["retryAfterMs"] == 500
        assert await late.closed() == (1013, "gateway restart in progress")
        assert await silent.closed() == (1000, "")
        await ending


async def test_a_call_that_is_under_way_is_answered_first() -> None:
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        calls: asyncio.Queue[Call] = asyncio.Queue()
        worker.on_call = calls.put_nowait
        client = await rig.client()
        params = {"to": "x", "message": "hi", "idempotencyKey": "k"}
        sending = asyncio.create_task(client.call("send", params))
        call = await calls.get()
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_event(event: Event) -> None:
            if event.event == "shutdown":
                told.set_result(None)

        watcher = await rig.client(on_event=on_event)
        ending = asyncio.create_task(drain(rig.gateway))
        await told
        worker.send(Answer(call.id, True, b'{"id":"m","chat":"x","ts":1}'))
        assert (await sending)["messageId"] == "m"
        await ending
        assert (await watcher.closed)[0] == 1012


async def test_one_that_just_got_in_is_waited_for_until_it_has_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command line on a busy host takes its time between its hello and its only call."""
    monkeypatch.setattr(draining, "FIRST_CALL_SECONDS", 600.0)
    async with gateway_rig() as rig:
        client = await greeted(rig)
        ending = asyncio.create_task(drain(rig.gateway))
        await asyncio.sleep(draining.DRAIN_SECONDS + 0.1)
        assert (await client.call("health"))["ok"] is True
        assert await client.closed() == (1012, "service restart")
        await ending


@pytest.mark.parametrize("guest", [True, False])
async def test_only_a_guest_who_goes_on_asking_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, guest: bool
) -> None:
    """A command line asks a few things and goes; a user interface would never be done."""
    monkeypatch.setattr(draining, "DRAIN_SECONDS", 600.0)
    monkeypatch.setattr(draining, "GUEST_SECONDS", 600.0 if guest else 0.0)
    told = asyncio.Event()

    def on_event(event: Event) -> None:
        if event.event == "shutdown":
            told.set()

    async with gateway_rig() as rig:
        client = await rig.client(on_event=on_event)
        await client.call("health")
        ending = asyncio.create_task(drain(rig.gateway))
        loop = asyncio.get_running_loop()
        enough = loop.time() + 10 * draining.QUIET_SECONDS
        while loop.time() < enough and not told.is_set():
            await client.call("health")
        assert told.is_set() is not guest
        async with asyncio.timeout(PATIENCE):
            await told.wait()
            await ending


async def supervise(url: str) -> None:
    """Be the supervisor of one gateway after the other, until cancelled."""
    while True:
        with contextlib.suppress(IpcError):
            client = await Client.connect(url, token=SESSION)
            try:
                await client.call("channels.report", {"whole": True, "accounts": {KEY: row(KEY)}})
                await asyncio.shield(client.closed)
            finally:
                await client.close()
        await asyncio.sleep(0.01)


async def call_once(url: str) -> None:
    retry = (0.1, 0.2, 0.4, 0.8, 1.5)
    client = await Client.connect(url, token=TOKEN, retry=retry)
    try:
        assert (await client.call("health"))["ok"]
    finally:
        await client.close()


async def test_no_call_fails_while_gateways_follow_each_other(short_path: Path) -> None:
    """Clients come all the time while three gateways serve the same socket in turn."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    done = asyncio.Event()
    calls: list[asyncio.Task[None]] = []

    async def clients() -> None:
        while not done.is_set():
            calls.append(asyncio.create_task(call_once(url)))
            await asyncio.sleep(0.01)

    def unexpected(cause: str, text: str) -> None:
        pytest.fail(f"{cause}: {text}")

    async with asyncio.TaskGroup() as tasks:
        supervisor = tasks.create_task(supervise(url))
        tasks.create_task(clients())
        for incarnation in range(1, 4):
            fds = {"listen": os.dup(listener.fileno())}
            loop = asyncio.get_running_loop()
            loop.call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
            if incarnation == 3:
                loop.call_later(0.2, done.set)
            assert await main(boot_of(short_path, incarnation), fds, unexpected) == 0
        supervisor.cancel()
        listener.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert len(results) > 10  # some 150 on a calm host
    assert [each for each in results if each is not None] == []


@pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.slow)])
async def test_a_caller_without_pause_knows_the_fate_of_every_call(
    short_path: Path, count: int
) -> None:
    """It does not care for ``shutdown`` and uses each session until it is closed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    fates: Counter[str] = Counter()

    async def call_without_pause() -> None:
        while True:
            caps = [REPEATABLE]
            client = await Client.connect(url, token=TOKEN, caps=caps, retry=[0.1] * 50)
            try:
                while True:
                    fates[await fate(client)] += 1
            except PeerGone as gone:
                fates["doubtful" if gone.maybe_executed else "not executed"] += 1
            finally:
                await client.close()

    def unexpected(cause: str, text: str) -> None:
        pytest.fail(f"{cause}: {text}")

    async with asyncio.TaskGroup() as tasks:
        supervisor = tasks.create_task(supervise(url))
        callers = [tasks.create_task(call_without_pause()) for _ in range(3)]
        for incarnation in range(1, count + 1):
            fds = {"listen": os.dup(listener.fileno())}
            asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGTERM)
            if incarnation == count:
                for task in (supervisor, *callers):
                    asyncio.get_running_loop().call_later(0.2, task.cancel)
            assert await main(boot_of(short_path, incarnation), fds, unexpected) == 0
        listener.close()
    print(f"\n{dict(fates)}")
    assert set(fates) <= {"answered", "refused", "not executed"}
    assert fates["answered"] > count  # hundreds on a calm host


async def fate(client: Client) -> str:
    """Call once; say whether it was carried out."""
    try:
        await client.call("system-presence")
    except RemoteError as error:
        if not is_starting(error):
            raise
        return "refused"
    return "answered"


async def test_what_has_no_answer_has_not_been_carried_out() -> None:
    """A client sends without pause, in batches, and does not care for ``shutdown``.

    So there are always calls under way: the drain waits as long as it may, and answers the last
    ones, of which there are the more the busier the host is, that they may have been carried out.
    """
    executed: list[str] = []

    def on_call(call: Call) -> Answer:
        executed.append(msgspec.json.decode(call.params)["key"])
        return Answer(call.id, True, b'{"id":"m","chat":"x","ts":1}')

    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.on_call = on_call
        client = await greeted(rig)
        asked = 0

        async def ask() -> None:
            nonlocal asked
            with contextlib.suppress(ConnectionClosed):
                while True:
                    asked += 1
                    params = {"to": "x", "message": "hi", "idempotencyKey": str(asked)}
                    frame = {"type": "req", "id": str(asked), "method": "send", "params": params}
                    await client.send(frame)
                    if not asked % 20:
                        await asyncio.sleep(0)

        good, doubtful, refused = set[str](), set[str](), set[str]()

        async def read() -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frame = await client.next()
                    if frame["type"] != "res":
                        continue
                    if frame["ok"]:
                        good.add(frame["id"])
                    elif frame["error"]["message"].endswith(IN_DOUBT):
                        doubtful.add(frame["id"])
                    else:
                        refused.add(frame["id"])

        asking, reading = asyncio.create_task(ask()), asyncio.create_task(read())
        await until(lambda: len(good) > 50)
        await drain(rig.gateway)
        await asking
        await reading
    assert good <= set(executed) <= good | doubtful
    assert len(executed) == len(set(executed))
    assert refused, "some were refused, as not carried out"


async def test_a_call_that_takes_too_long_is_answered_before_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(draining, "FINISH_SECONDS", 0.05)
    async with gateway_rig() as rig:
        worker = await rig.worker(KEY)
        worker.on_call = lambda call: None
        client = await greeted(rig)
        params = {"to": "x", "message": "hi", "idempotencyKey": "k"}
        asking = asyncio.create_task(client.call("send", params))
        await until(lambda: rig.parts.jobs)
        await drain(rig.gateway)
        answer = await asking
    assert answer["error"]["code"] == "UNAVAILABLE"
    assert answer["error"]["message"].endswith(IN_DOUBT)
