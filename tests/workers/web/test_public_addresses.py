"""Names that lead to this host are no way to it."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from workers.web.public_addresses import LookUp, PrivateAddress, PublicResolver, public_session


def leading_to(*addresses: str) -> LookUp:
    """Return what finds these addresses for every name."""

    async def look_up(host: str, port: int, family: int) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    return look_up


async def test_a_name_of_this_host_is_refused_unless_that_is_allowed() -> None:
    with pytest.raises(PrivateAddress, match="localhost leads to private addresses only"):
        await PublicResolver().resolve("localhost", 80, socket.AF_INET)
    (found,) = await PublicResolver(allow_private=True).resolve("localhost", 80, socket.AF_INET)
    assert (found["host"], found["port"], found["hostname"]) == ("127.0.0.1", 80, "localhost")


@pytest.mark.parametrize("name", ["a..example", "a" * 64])
async def test_an_odd_name_is_an_error_of_the_system(name: str) -> None:
    with pytest.raises(OSError, match=r"host name|known|resolution"):
        await PublicResolver().resolve(name, 80)


async def test_only_the_public_ones_of_several_addresses_are_left() -> None:
    look_up = leading_to("10.0.0.1", "1.1.1.1", "169.254.169.254")
    found = await PublicResolver(look_up=look_up).resolve("mixed.example", 443)
    assert [each["host"] for each in found] == ["1.1.1.1"]


async def test_what_was_resolved_is_what_is_connected_to() -> None:
    """No one else is asked for the name, and the server sees it as it was."""

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Host"])

    app = web.Application()
    app.router.add_get("/", hello)
    async with TestServer(app) as server:
        resolver = PublicResolver(allow_private=True, look_up=leading_to("127.0.0.1"))
        connector = aiohttp.TCPConnector(resolver=resolver)
        url = f"http://rebound.example:{server.port}/"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url) as answer,
        ):
            assert await answer.text() == f"rebound.example:{server.port}"


async def test_aiohttp_shows_the_refusal() -> None:
    resolver = PublicResolver(look_up=leading_to("192.168.0.1"))
    connector = aiohttp.TCPConnector(resolver=resolver)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get("http://inner.example/")
        assert isinstance(caught.value.os_error, PrivateAddress)


@pytest.mark.parametrize(("allowed", "proxy"), [(False, False), (True, False), (False, True)])
async def test_a_session_asks_for_private_names_where_it_may(allowed: bool, proxy: bool) -> None:
    limits = aiohttp.ClientTimeout(total=5)
    async with public_session(limits, allow_private=allowed, behind_proxy=proxy) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get("http://localhost:1/")
    refused = isinstance(caught.value.os_error, PrivateAddress)
    assert refused is not (allowed or proxy)
