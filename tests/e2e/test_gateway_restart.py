"""The gateway is restarted, and killed, while clients call: none is refused, nothing is lost.

One client keeps its session and one opens a session for every call, each 20 times a second.
"""

from __future__ import annotations

import asyncio
import random
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.daemon import TOKEN, Daemon
from tests.support.restarts import (
    FreshCaller,
    LastingCaller,
    calling,
    kill_gateway,
    restart_gateway,
    sentence,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REST = 0.25  # seconds between two ends of the gateway: five calls of each client
CONFIG: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}
OUTAGE = 2.5  # seconds; five times the target, for a machine that is busy with other things


def times(few: int, many: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "count", [few, pytest.param(many, marks=pytest.mark.slow)], ids=[str(few), str(many)]
    )


@times(5, 50)
async def test_a_graceful_restart_fails_no_call(tmp_path: Path, count: int) -> None:
    async with (
        Daemon(tmp_path, CONFIG) as daemon,
        calling(LastingCaller(daemon), FreshCaller(daemon)) as noted,
    ):
        outages = []
        for _ in range(count):
            await asyncio.sleep(REST)
            before = [len(calls.seconds) for calls in noted]
            await restart_gateway(daemon)
            await asyncio.sleep(REST)  # what waited meanwhile is answered
            outages.append(max(map(lambda c, n: c.longest(n), noted, before)))
    print(f"\n{sentence(noted, outages, 'graceful restarts')}")
    for calls in noted:
        assert not calls.failed
        assert calls.in_flight == 0
        assert len(calls.seconds) > count
    assert max(outages) < OUTAGE


@times(3, 20)
async def test_a_kill_refuses_no_client_and_affects_only_calls_in_flight(
    tmp_path: Path, count: int
) -> None:
    async with (
        Daemon(tmp_path, CONFIG) as daemon,
        calling(LastingCaller(daemon), FreshCaller(daemon)) as noted,
    ):
        outages = []
        chance = random.Random(count)
        for _ in range(count):
            # At equal distances they could fall on every one of a client's tries.
            await asyncio.sleep(REST * chance.uniform(1, 4))
            before = [len(calls.seconds) for calls in noted]
            await kill_gateway(daemon)
            await asyncio.sleep(REST)
            outages.append(max(map(lambda c, n: c.longest(n), noted, before)))
    print(f"\n{sentence(noted, outages, 'kills')}")
    for calls in noted:
        assert not calls.failed  # neither refused nor anything else: each was answered at last
        assert len(calls.seconds) > count


async def test_a_gateway_that_fails_refuses_its_clients_until_it_is_started(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(TOKEN)
    token = {"source": "file", "id": str(secret)}
    async with Daemon(tmp_path, CONFIG | {"gateway": {"auth": {"token": token}}}) as daemon:
        await daemon.wait_phase("local:one", "running")
        secret.unlink()
        asked = asyncio.create_task(daemon.command("gateway", "restart"))
        status = await daemon.wait(lambda s: s["gateway"]["phase"] == "failed")
        assert "cannot be read" in status["gateway"]["lastError"]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", daemon.port)
        secret.write_text(TOKEN)
        code, out, err = await daemon.command("gateway", "start")
        assert code == 0, (out, err)
        client = await daemon.client()
        assert (await client.call("health"))["ok"]
        await client.close()
        await asked


async def test_no_client_is_refused_at_the_port_of_the_canvas_host(tmp_path: Path) -> None:
    (tmp_path / "canvas").mkdir()
    (tmp_path / "canvas" / "index.html").write_text("still here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    canvas = {"enabled": True, "root": str(tmp_path / "canvas"), "port": port}
    async with Daemon(tmp_path, CONFIG | {"canvasHost": canvas}) as daemon:
        asking: dict[str, Any] = {
            "url": f"http://127.0.0.1:{port}/__openclaw__/canvas/",
            "headers": {"Authorization": f"Bearer {TOKEN}"},
        }
        async with aiohttp.ClientSession() as session:
            for end in (kill_gateway, restart_gateway):
                ended = asyncio.create_task(end(daemon))
                while not ended.done():  # whatever is under way is cut; but it can always connect
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    await asyncio.sleep(0.02)
                await ended
                async with session.get(**asking) as answer:
                    assert (answer.status, await answer.text()) == (200, "still here")
