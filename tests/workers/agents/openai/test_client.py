"""The client keeps to the configuration: nothing of the environment, and a bounded answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2
import msgspec
import pytest

from workers.agents.answers import BrokenAnswer
from workers.agents.openai.client import BoundedStream, BoundedTransport, open_client
from workers.agents.openai.config import OpenAIConfig
from workers.errors import Misconfigured


class Pieces(httpx2.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


async def all_of(stream: BoundedStream) -> list[bytes]:
    found: Any = aiter(stream)  # a generator, which wants to be closed
    async with aclosing(found) as pieces:
        return [piece async for piece in pieces]


async def test_a_body_is_bounded() -> None:
    assert await all_of(BoundedStream(Pieces(b"ab", b"c"), 3)) == [b"ab", b"c"]
    with pytest.raises(BrokenAnswer, match="more than an answer may hold"):
        await all_of(BoundedStream(Pieces(b"ab", b"cd"), 3))


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (200, {"Content-Type": "text/html; charset=utf-8"}, Misconfigured),
        (200, {}, Misconfigured),
        (200, {"Content-Type": "application/json", "Content-Encoding": "br"}, BrokenAnswer),
        (200, {"Content-Type": "Text/Event-Stream;x"}, None),
        (502, {"Content-Type": "text/html"}, None),
    ],
)
async def test_an_answer_of_a_wrong_type_is_closed(
    status: int, headers: dict[str, str], kind: type[Exception] | None
) -> None:
    body = Pieces(b"x")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers=headers, stream=body)

    transport = BoundedTransport(httpx2.MockTransport(answer), 10)
    async with httpx2.AsyncClient(transport=transport) as client:
        request = client.build_request("POST", "http://a/")
        if kind is None:
            response = await client.send(request, stream=True)
            await response.aclose()
        else:
            with pytest.raises(kind):
                await client.send(request, stream=True)
    assert body.closed


async def test_the_client_takes_nothing_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    config = msgspec.convert({"model": "m", "apiKey": "sk-own"}, OpenAIConfig)
    async with open_client(config, None) as client:
        assert (str(client.base_url), client.api_key) == ("https://api.openai.com/v1/", "sk-own")
        assert client.max_retries == 0
