"""kill -9 of the gateway at each stage of a young connection: its client notices nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.daemon import TOKEN, Daemon
from tests.support.echo_server import UPGRADE
from tests.support.rawclient import connect_params
from tests.support.restarts import kill_gateway, restart_gateway
from tests.support.until import until
from tests.support.young_client import YoungClient, request

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

HEAD = UPGRADE.replace(b"Host: x", b"Host: localhost")
CONNECT = request("c", "connect", connect_params(TOKEN))
LIST = request("r", "cron.list", {})
TRIES = 3  # at most, of each stage
CLOSE_FRAME = b"\x88\x11\x03\xf4service restart"  # 1012
JOB = {
    "name": "hourly",
    "schedule": {"kind": "every", "everyMs": 3_600_000},
    "sessionTarget": "isolated",
    "wakeMode": "now",
    "payload": {"kind": "agentTurn", "message": "report"},
    "delivery": {"mode": "none"},
}
FAILED = (AssertionError, OSError, asyncio.IncompleteReadError, TimeoutError)


async def upgraded(client: YoungClient) -> None:
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def challenged(client: YoungClient) -> None:
    assert (await client.next())["event"] == "connect.challenge"


async def greeted(client: YoungClient) -> None:
    assert (await client.answer("c"))["payload"]["type"] == "hello-ok"


async def answered(client: YoungClient) -> None:
    assert (await client.answer("r"))["ok"]


# What a client does, one after another: bytes are sent, functions wait for what must come.
STEPS: list[tuple[str, Any]] = [
    ("connected", b""),
    ("half a head sent", HEAD[:40]),
    ("head sent", HEAD[40:]),
    ("upgraded", upgraded),
    ("challenged", challenged),
    ("half of connect sent", CONNECT[:100]),
    ("connect sent", CONNECT[100:]),
    ("greeted", greeted),
    ("half of a request sent", LIST[:20]),
    ("request sent", LIST[20:]),
    ("answered", answered),
]


async def talk(daemon: Daemon, killed_after: set[str]) -> YoungClient:
    """Do all steps, and kill the gateway after some of them."""
    client = await YoungClient.open(daemon.port)
    try:
        for name, step in STEPS:
            if isinstance(step, bytes):
                await client.send(step)
            else:
                await step(client)
            if name in killed_after:
                await kill_gateway(daemon)
    finally:
        await client.close()
    return client


async def was_cut(client: YoungClient) -> bool:
    """Return whether the connection ends without a close frame; what comes before is dropped."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await client.next()
    return True


async def test_a_client_notices_no_kill_at_any_stage(tmp_path: Path) -> None:
    names = [name for name, _ in STEPS[:-1]]
    rows = [{name} for name in names]
    rows += [{"upgraded", "greeted"}, {"connected", "connect sent", "request sent"}]
    failed: dict[str, str] = {}
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        # A kill between a read and its note cuts the connection off (docs/protocol.md, Restart):
        # some microseconds, and more where the process waits for a processor right there.
        for killed_after in [each for each in rows for _ in range(TRIES)]:
            if failed.get(str(killed_after)) == "":
                continue  # an earlier try has passed
            try:
                client = await talk(daemon, killed_after)
            except FAILED as error:
                failed[str(killed_after)] = repr(error)
                continue
            failed[str(killed_after)] = ""
            said = [each.get("event") or each["id"] for each in client.frames]
            assert said.count("connect.challenge") == said.count("c") == said.count("r") == 1, said
            numbers = [each["seq"] for each in client.frames if "seq" in each]
            assert numbers == sorted(set(numbers)), "the numbers of events go on"
        text = daemon.output.read_text()
    assert not any(failed.values()), (failed, text)


async def test_what_was_read_is_done_again_or_its_outcome_is_said_to_be_unknown(
    tmp_path: Path,
) -> None:
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        supervisor = psutil.Process(daemon.pid)
        reading, writing = [await YoungClient.open(daemon.port) for _ in range(2)]
        gateway = (await daemon.status())["gateway"]["pid"]
        for client in (reading, writing):
            assert (await client.hello(TOKEN))["ok"]
        supervisor.suspend()  # so that nobody answers the gateway
        try:
            await reading.send(request("w", "config.get"))
            await writing.send(request("w", "config.set", {"raw": "{}", "baseHash": "none"}))
            for client in (reading, writing):  # answered at once: what came before it was read
                await client.send(request("h", "health"))
                assert (await client.answer("h"))["ok"]
            os.kill(gateway, signal.SIGKILL)
        finally:
            supervisor.resume()
        assert (await reading.answer("w"))["payload"]["raw"]
        error = (await writing.answer("w"))["error"]
        assert error["code"] == "UNAVAILABLE"
        assert error["details"]["reason"] == "gateway-replaced"
        assert error["message"].startswith("config.set: the gateway was replaced while")
        for client in (reading, writing):
            assert [each.get("id") for each in client.frames].count("h") == 1
            await client.send(request("n", "cron.list", {}))
            assert (await client.answer("n"))["ok"]  # it goes on as any other
            await client.close()


async def test_what_a_client_had_said_and_says_meanwhile_is_done_once(tmp_path: Path) -> None:
    """More requests than fit behind a ``connect``, a larger one, and more than is kept."""
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        client = await YoungClient.open(daemon.port)
        assert (await client.hello(TOKEN))["ok"]
        supervisor = psutil.Process(daemon.pid)
        gateway = psutil.Process((await daemon.status())["gateway"]["pid"])
        supervisor.suspend()  # so that nobody answers the gateway
        try:
            for number in range(20):
                await client.send(request(f"w{number}", "config.get"))
            await client.send(request("a", "cron.add", JOB))
            assert (await client.answer("a"))["ok"]
            await client.send(request("l", "health", {"x": "x" * 70_000}))
            assert (await client.answer("l"))["ok"]
            gateway.suspend()
            for number in range(20):
                await client.send(request(f"m{number}", "health", {"x": "x" * 3000}))
            gateway.kill()
        finally:
            supervisor.resume()
        waiting = {f"{kind}{number}" for kind in "wm" for number in range(20)}
        while waiting:
            frame = await client.next()
            if "id" in frame:
                assert frame["ok"], frame
                waiting.remove(frame["id"])
        await client.send(request("j", "cron.list", {}))
        (job,) = (await client.answer("j"))["payload"]["jobs"]
        assert job["name"] == JOB["name"]
        ids = [each["id"] for each in client.frames if "id" in each]
        assert len(ids) == len(set(ids)), "an answer came twice"
        await client.close()


async def test_only_young_connections_of_short_clients_outlive_the_gateway(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        answered, watching, refused = [await YoungClient.open(daemon.port) for _ in range(3)]
        assert (await answered.hello(TOKEN))["ok"]
        await answered.send(LIST)
        assert (await answered.answer("r"))["ok"]
        assert (await watching.hello(TOKEN, caps=["channel-events"]))["ok"]
        assert not (await refused.hello("wrong"))["ok"]
        await refused.ended()  # the socket really ends: no slot holds it
        await kill_gateway(daemon)
        for client in (answered, watching):
            assert await was_cut(client)
        for client in (answered, watching, refused):
            await client.close()


async def follows_by_request(client: YoungClient) -> None:
    """Have another request of it open, too."""
    assert (await client.hello(TOKEN))["ok"]
    await client.send(request("w", "config.get"))
    await client.send(request("s", "events.subscribe", {}))
    assert (await client.answer("s"))["ok"]


async def follows_from_its_hello(client: YoungClient) -> None:
    assert (await client.hello(TOKEN, caps=["channel-events"]))["ok"]


@pytest.mark.parametrize("follow", [follows_by_request, follows_from_its_hello])
async def test_one_that_follows_events_comes_back_and_asks_for_what_it_has_missed(
    tmp_path: Path, follow: Callable[[YoungClient], Awaitable[None]]
) -> None:
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        supervisor = psutil.Process(daemon.pid)
        client = await YoungClient.open(daemon.port)
        gateway = (await daemon.status())["gateway"]["pid"]
        supervisor.suspend()  # so that nobody answers the gateway
        try:
            await follow(client)
            os.kill(gateway, signal.SIGKILL)  # at once: its socket is still kept
        finally:
            supervisor.resume()
        said = await client.ended()
        await client.close()
        assert said.endswith(CLOSE_FRAME)


async def test_a_stop_ends_what_is_kept_and_a_restart_keeps_nothing(tmp_path: Path) -> None:
    async with Daemon(tmp_path, {"channels": {}}) as daemon:
        client = await YoungClient.open(daemon.port)
        await client.upgrade()
        await restart_gateway(daemon)
        assert await client.ended() == b"\x88\x02\x03\xe8"  # 1000, as before a ``connect``
        await client.close()
        waiting = await YoungClient.open(daemon.port)
        await waiting.upgrade()
        gateway = psutil.Process((await daemon.status())["gateway"]["pid"])
        gateway.kill()
        await daemon.call("gateway.stop")
        assert await was_cut(waiting)
        await waiting.close()
        await until(lambda: not gateway.is_running())
