"""HTTP on the WebSocket's port."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from tests.support.house import TOKEN, House, house
from tests.support.rawclient import RawClient


async def get(home: House, path: str, method: str = "GET", **more: Any) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{home.port}{path}", **more) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def test_health_is_live() -> None:
    async with house() as home:
        for path in ("/health", "/healthz"):
            status, text, headers = await get(home, path)
            assert (status, text) == (200, '{"ok":true,"status":"live"}')
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
        assert (await get(home, "/health", "HEAD"))[:2] == (200, "")


async def test_other_methods_and_other_paths() -> None:
    async with house() as home:
        status, text, headers = await get(home, "/health", "POST", data=b"x" * 100_000)
        assert (status, text, headers["Allow"]) == (405, "Method Not Allowed", "GET, HEAD")
        assert (await get(home, "/nope"))[:2] == (404, "Not Found")


async def test_readiness_follows_the_supervisor_and_the_drain() -> None:
    async with house(supervisor=False) as home:
        status, text, _ = await get(home, "/readyz")
        assert status == 503
        assert '"failing":["startup-sidecars"]' in text
    async with house() as home:
        status, text, _ = await get(home, "/ready")
        assert status == 200
        assert '"ready":true' in text
        home.hub.start_draining()
        assert '"failing":["gateway-draining"]' in (await get(home, "/ready"))[1]


async def test_every_metric_is_there_from_the_start() -> None:
    async with house() as home:
        status, text, _ = await get(home, "/metrics")
        assert status == 200
        assert "trunkline_messages_total 0.0" in text
        assert 'trunkline_dropped_total{reason="stale"} 0.0' in text
        assert 'trunkline_accounts{phase="running"} 1.0' in text
        assert "trunkline_slow_clients_total 0.0" in text


async def test_metrics_can_be_switched_off() -> None:
    async with house(http={"metrics": False}) as home:
        assert (await get(home, "/metrics"))[0] == 404


async def test_a_request_may_come_byte_by_byte_and_the_next_one_behind_it() -> None:
    async with house() as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.count(b'{"ok":true,"status":"live"}') == 3
        writer.close()
        await writer.wait_closed()


async def test_garbage_is_answered_and_closed() -> None:
    async with house() as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(b"\x16\x03\x01 not http at all\r\n\r\n")
        async with asyncio.timeout(5):
            assert b"400" in (await reader.read()).split(b"\r\n")[0]
        writer.close()
        await writer.wait_closed()


async def test_web_sockets_and_pages_share_the_port() -> None:
    async with house() as home:
        client = await RawClient.open(home.url)
        home.opened.append(client)
        await client.hello(TOKEN)
        assert (await get(home, "/health"))[0] == 200
        assert (await client.call("health"))["ok"]


async def test_wrong_secrets_lock_the_pages_too() -> None:
    async with house(trustedProxies=["127.0.0.1"]) as home:
        far = {"x-forwarded-for": "203.0.113.9"}
        wrong = far | {"Authorization": "Bearer wrong"}
        for _ in range(10):
            assert (await get(home, "/metrics", headers=wrong))[0] == 401
        right = far | {"Authorization": f"Bearer {TOKEN}"}
        status, _, headers = await get(home, "/metrics", headers=right)
        assert status == 429
        assert 290 < int(headers["Retry-After"]) <= 301
        assert (await get(home, "/health", headers=far))[0] == 200
        other = {"x-forwarded-for": "203.0.113.10", "Authorization": f"Bearer {TOKEN}"}
        assert (await get(home, "/metrics", headers=other))[0] == 200


async def test_behind_a_proxy_the_metrics_need_the_secret() -> None:
    async with house() as home:
        assert (await get(home, "/metrics"))[0] == 200
        assert (await get(home, "/metrics", headers={"x-forwarded-for": "127.0.0.1"}))[0] == 401
