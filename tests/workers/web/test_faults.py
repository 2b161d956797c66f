from __future__ import annotations

import asyncio

import aiohttp
import pytest

from workers.testing.ports import free_port
from workers.web.faults import NoAnswer, Unreachable, fault_of


async def failing(url: str, seconds: float = 5) -> Unreachable | NoAnswer:
    """Return what a request that fails means."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.get(url):
                raise AssertionError("it was answered")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return fault_of("getSecret", error)


async def test_a_request_without_a_connection_was_not_executed() -> None:
    port = free_port()
    error = await failing(f"http://127.0.0.1:{port}/token")
    assert isinstance(error, Unreachable)
    assert str(error) == f"Connection refused by 127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("hang", "text"),
    [(False, "getSecret: the server closed the connection"), (True, "no answer in time")],
)
async def test_a_request_without_an_answer_may_have_been_executed(hang: bool, text: str) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if hang:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failing(f"http://127.0.0.1:{port}/token", 0.2 if hang else 5)
        over.set()
    assert isinstance(error, NoAnswer)
    assert text in str(error)
    assert "token" not in str(error)
