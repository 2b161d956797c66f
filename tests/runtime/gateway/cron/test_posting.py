"""Results that are posted: to the internet, and nowhere else unless that is configured."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from runtime.gateway.cron.posting import post


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost:1/x", "http://[::1]/", "ftp://example.com/", "x"],
)
async def test_no_private_address_is_posted_to(url: str) -> None:
    assert await post(url, {}, "k", allow_private=False)


async def test_a_result_is_posted_with_its_key_and_a_refusal_is_told() -> None:
    came: list[Any] = []

    async def take(request: web.BaseRequest) -> web.Response:
        came.append((request.headers["Idempotency-Key"], await request.json()))
        return web.Response(status=200 if request.path == "/good" else 302)

    server = web.Server(take)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        assert await post(f"{base}/good", {"a": 1}, "k", allow_private=True) is None
        told = await post(f"{base}/bad", {"a": 1}, "k", allow_private=True)
        assert told == "the webhook answered 302"
    finally:
        listening.close()
        await server.shutdown(0.1)
    assert came[0] == ("k", {"a": 1})
    told = await post(f"{base}/", {}, "k", allow_private=True, waits=(0.0,))
    assert "not reached" in str(told)


@pytest.mark.parametrize(
    ("statuses", "told", "tries"),
    [
        ([503, 200], None, 2),
        ([429, 408, 204], None, 3),
        ([500, 502, 503, 200], "the webhook answered 503", 3),
        ([404, 200], "the webhook answered 404", 1),
    ],
)
async def test_a_server_that_refuses_for_now_is_asked_again(
    statuses: list[int], told: str | None, tries: int
) -> None:
    came: list[str] = []

    async def take(request: web.BaseRequest) -> web.Response:
        came.append(request.headers["Idempotency-Key"])
        return web.Response(status=statuses[len(came) - 1])

    server = web.Server(take)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    try:
        assert await post(url, {}, "k", allow_private=True, waits=(0.0, 0.0)) == told
    finally:
        listening.close()
        await server.shutdown(0.1)
    assert came == ["k"] * tries
