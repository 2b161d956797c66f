"""A gateway of the test whose HTTP API is switched on, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from tests.support.gateway_rig import TOKEN, GatewayRig, gateway_rig
from tests.support.until import PATIENCE

RIGHT = {"Authorization": f"Bearer {TOKEN}"}
ON = {"chatCompletions": {"enabled": True}, "responses": {"enabled": True}}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


class HttpClient:
    """A client of one gateway's port, with the secret unless other headers are given."""

    def __init__(self, rig: GatewayRig, session: aiohttp.ClientSession) -> None:
        self.rig = rig
        self.session = session

    def address(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.rig.port}{path}", encoded=True)

    async def ask(
        self,
        path: str,
        body: Any = None,
        method: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> tuple[int, Any, Any]:
        """Return status, body and headers of an answer."""
        if body is not None:
            more["data"] = body if isinstance(body, bytes) else msgspec.json.encode(body)
        method = method or ("POST" if "data" in more else "GET")
        given = RIGHT if headers is None else headers
        async with self.session.request(
            method, self.address(path), headers=given, **more
        ) as answer:
            text = await answer.read()
            if "json" in answer.headers.get("Content-Type", ""):
                return answer.status, msgspec.json.decode(text), answer.headers
            return answer.status, text.decode(), answer.headers


@asynccontextmanager
async def http_rig(**more: Any) -> AsyncIterator[HttpClient]:
    """Run a gateway with the agent ``echo`` and the whole API; ``more`` is for ``gateway_rig``."""
    given = {"agents": "echo", "http": {"endpoints": ON}} | more
    limits = aiohttp.ClientTimeout(total=PATIENCE)
    async with gateway_rig(**given) as rig, aiohttp.ClientSession(timeout=limits) as session:
        yield HttpClient(rig, session)


def said(text: str, **more: Any) -> dict[str, Any]:
    """Return the body of a request for a completion."""
    return {"model": "openclaw", "messages": [{"role": "user", "content": text}]} | more


def chunks(text: str) -> list[Any]:
    """Return the values of a stream of events; its end is ``[DONE]``."""
    data = [
        line.removeprefix("data: ")
        for part in text.split("\n\n")
        for line in part.split("\n")
        if line.startswith("data: ")
    ]
    return [each if each == "[DONE]" else msgspec.json.decode(each) for each in data]


def head(path: str, size: int, *lines: str) -> bytes:
    """Return the head of a request that posts ``size`` bytes."""
    secret = f"Authorization: {RIGHT['Authorization']}"
    first = [f"POST {path} HTTP/1.1", "Host: localhost", secret, f"Content-Length: {size}"]
    return "\r\n".join([*first, *lines, "", ""]).encode()
