"""HTTP on the WebSocket's port."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.handshakes import greeted
from tests.support.until import PATIENCE


async def get(rig: GatewayRig, path: str, method: str = "GET", **more: Any) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{rig.port}{path}", **more) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def test_health_is_live() -> None:
    async with gateway_rig() as rig:
        for path in ("/health", "/healthz"):
            status, text, headers = await get(rig, path)
            assert (status, text) == (200, '{"ok":true,"status":"live"}')
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
        assert (await get(rig, "/health", "HEAD"))[:2] == (200, "")


async def test_other_methods_and_other_paths() -> None:
    async with gateway_rig() as rig:
        status, text, headers = await get(rig, "/health", "POST", data=b"x" * 100_000)
        assert (status, text, headers["Allow"]) == (405, "Method Not Allowed", "GET, HEAD")
        assert (await get(rig, "/nope"))[:2] == (404, "Not Found")


async def test_readiness_follows_the_supervisor_and_the_drain() -> None:
    async with gateway_rig(supervisor=False) as rig:
        status, text, _ = await get(rig, "/readyz")
        assert status == 503
        assert '"failing":["startup-sidecars"]' in text
    async with gateway_rig() as rig:
        status, text, _ = await get(rig, "/ready")
        assert status == 200
        assert '"ready":true' in text
        rig.parts.readiness.start_draining()
        assert '"failing":["gateway-draining"]' in (await get(rig, "/ready"))[1]


@pytest.mark.parametrize(
    "request_line",
    ["GET / HTTP/1.1", "GET /health HTTP/1.1", "GET /nope HTTP/1.1", "GET /\x01 HTTP/1.1"],
)
async def test_no_answer_tells_the_versions_of_python_and_of_libraries(request_line: str) -> None:
    async with gateway_rig() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(f"{request_line}\r\nHost: 127.0.0.1:{rig.port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        writer.close()
        assert "\r\nserver: trunkline\r\n" in head
        assert "python" not in head
        assert "aiohttp" not in head


async def test_metrics_can_be_switched_off() -> None:
    async with gateway_rig(http={"metrics": False}) as rig:
        assert (await get(rig, "/metrics"))[0] == 404


async def test_a_request_may_come_byte_by_byte_and_the_next_one_behind_it() -> None:
    async with gateway_rig() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for byte in request:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        assert answer.count(b'{"ok":true,"status":"live"}') == 3
        writer.close()
        await writer.wait_closed()


async def test_garbage_is_answered_and_closed() -> None:
    async with gateway_rig() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(b"\x16\x03\x01 not http at all\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert b"400" in (await reader.read()).split(b"\r\n")[0]
        writer.close()
        await writer.wait_closed()


async def test_web_sockets_and_pages_share_the_port() -> None:
    async with gateway_rig() as rig:
        client = await greeted(rig)
        assert (await get(rig, "/health"))[0] == 200
        assert (await client.call("health"))["ok"]


async def test_wrong_secrets_lock_the_pages_too() -> None:
    async with gateway_rig(trustedProxies=["127.0.0.1"]) as rig:
        far = {"x-forwarded-for": "203.0.113.9"}
        wrong = far | {"Authorization": "Bearer wrong"}
        for _ in range(10):
            assert (await get(rig, "/metrics", headers=wrong))[0] == 401
        right = far | {"Authorization": f"Bearer {TOKEN}"}
        status, _, headers = await get(rig, "/metrics", headers=right)
        assert status == 429
        assert 290 < int(headers["Retry-After"]) <= 301
        assert (await get(rig, "/health", headers=far))[0] == 200
        other = {"x-forwarded-for": "203.0.113.10", "Authorization": f"Bearer {TOKEN}"}
        assert (await get(rig, "/metrics", headers=other))[0] == 200


async def test_behind_a_proxy_the_metrics_need_the_secret() -> None:
    async with gateway_rig() as rig:
        assert (await get(rig, "/metrics"))[0] == 200
        assert (await get(rig, "/metrics", headers={"x-forwarded-for": "127.0.0.1"}))[0] == 401


async def test_every_refusal_is_counted_in_status_and_metrics(tmp_path: Path) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("GET", "/nope", {}, 404),
        ("POST", "/health", {}, 405),
        ("GET", "/health", {"Host": "evil.example"}, 403),
        ("GET", f"/media/{'ab' * 16}?t=guess", {}, 403),
        (
            "GET",
            "/__openclaw__/canvas/..%2f..%2fetc/passwd",
            {"Authorization": f"Bearer {TOKEN}"},
            400,
        ),
        ("GET", "/__openclaw__/canvas/", {}, 401),
        ("POST", "/channels/irc/nobody/x", {}, 404),
        ("GET", "/sessions/agent:main:main/history", {}, 401),
        ("POST", "/tools/invoke", token, 400),
    ]
    canvas = {"enabled": True, "root": str(tmp_path)}
    async with gateway_rig(canvas=canvas) as rig:
        for method, path, headers, status in asked:
            url = URL(f"http://127.0.0.1:{rig.port}{path}", encoded=True)
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, headers=headers) as answer,
            ):
                assert answer.status == status, path
        counts = Counter(str(status) for *_, status in asked)
        client = await rig.client()
        shown = await client.call("status")
        assert shown["httpRefused"] == counts
        assert (shown["canvas"]["refused"], shown["canvas"]["unauthorized"]) == (1, 1)
        figures = (await get(rig, "/metrics"))[1]
        for each, count in counts.items():
            assert f'trunkline_http_refused_total{{status="{each}"}} {count}.0\n' in figures
