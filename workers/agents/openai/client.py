"""Creates the SDK's client of an endpoint, with limits on what a response may hold.

The SDK reads an answer whole, follows redirects with the key, tries again by itself, and takes
proxies and accounts from the environment. Here an answer has a greatest length, and the rest is
off: whether a turn is repeated is for the gateway to decide.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2
from openai import AsyncOpenAI, Omit

from workers.agents.answers import BrokenAnswer
from workers.agents.openai.config import OpenAIConfig
from workers.errors import Misconfigured

# Of one answer on the wire: a token may come in a chunk that is 300 times as long as it is.
WIRE_FACTOR, WIRE_LEAST = 64, 4 * 1024 * 1024
KEPT_CONNECTIONS = 20
TYPES = ("application/json", "text/event-stream")
USER_AGENT = "Trunkline"


class BoundedStream(httpx2.AsyncByteStream):
    """The body of a response; reading more than ``most`` bytes raises ``BrokenAnswer``."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(aiter(self._stream)) as pieces:
            async for piece in pieces:
                self._left -= len(piece)
                if self._left < 0:
                    raise BrokenAnswer("the endpoint sent more than an answer may hold")
                yield piece

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        await self._stream.aclose()


class BoundedTransport(httpx2.AsyncBaseTransport):
    """A transport that limits responses in size, and to the content types of the API."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, most: int) -> None:
        self._transport = transport
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; return the response with a body of limited size."""
        response = await self._transport.handle_async_request(request)
        try:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise BrokenAnswer("the endpoint sent a compressed answer, which was not asked for")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if response.status_code == 200 and kind not in TYPES:
                raise Misconfigured(f"the endpoint answers with {kind or 'no type'}: check baseUrl")
        except BaseException:
            await response.aclose()
            raise
        response.stream = BoundedStream(response.stream, self._most)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def open_client(config: OpenAIConfig, proxy: str | None) -> AsyncOpenAI:
    """Return a client of the endpoint, through ``proxy``; the caller closes it."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
    transport = httpx2.AsyncHTTPTransport(
        # The system's authorities; those of SSL_CERT_FILE, where that is set. Only where they are
        # needed: no redirect leads from http to https.
        verify=ssl.create_default_context() if config.base_url.startswith("https:") else False,
        trust_env=False,
        limits=limits,
        proxy=proxy,
    )
    most = max(WIRE_LEAST, config.max_answer_bytes * WIRE_FACTOR)
    http = httpx2.AsyncClient(
        transport=BoundedTransport(transport, most),
        timeout=httpx2.Timeout(config.silent_seconds, connect=config.connect_seconds),
        follow_redirects=False,
        trust_env=False,
    )
    return AsyncOpenAI(
        api_key=config.api_key or "none",
        base_url=config.base_url,
        max_retries=0,
        default_headers={"Accept-Encoding": "identity", "User-Agent": USER_AGENT},
        http_client=http,
    )


def omitted_headers(config: OpenAIConfig) -> dict[str, Any]:
    """Return the headers that the SDK must omit from each request.

    The SDK would send organization and project from the environment to any endpoint.
    """
    names = ["OpenAI-Organization", "OpenAI-Project"]
    if config.api_key is None:
        names.append("Authorization")
    return dict.fromkeys(names, Omit())
