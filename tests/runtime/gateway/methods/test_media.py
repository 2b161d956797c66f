"""Clients that may read messages get tickets for their files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ipc.errors import RemoteError
from ipc.media import account_directory
from tests.support.gateway_rig import gateway_rig

ID = "ab" * 16
ASKED = {"channel": "irc", "accountId": "libera", "urls": [f"media:{ID}"]}


async def test_a_ticket_opens_the_file() -> None:
    async with gateway_rig() as rig:
        place = account_directory(Path(rig.parts.boot.state_dir), "irc:libera")
        place.mkdir(parents=True)
        (place / ID).write_bytes(b"hello")
        client = await rig.client()
        answer = await client.call("media.ticket", ASKED)
        path = answer["paths"][f"media:{ID}"]
        assert 290_000 < answer["expiresAtMs"] - time.time() * 1000 <= 300_000
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{rig.port}{path}") as response,
        ):
            assert (response.status, await response.read()) == (200, b"hello")


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"urls": ["../devices.json"]}, "none of media:<id>"),
        ({"urls": []}, "invalid media.ticket params"),
        ({"accountId": "nobody"}, "unknown irc account"),
    ],
)
async def test_nothing_else_gets_one(changed: dict[str, Any], text: str) -> None:
    async with gateway_rig() as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match=text):
            await client.call("media.ticket", ASKED | changed)


async def test_who_may_not_read_gets_none() -> None:
    async with gateway_rig() as rig:
        client = await rig.client(scopes=["operator.pairing"])
        with pytest.raises(RemoteError, match=r"missing scope: operator\.read"):
            await client.call("media.ticket", ASKED)


async def test_without_http_no_file_is_served() -> None:
    async with gateway_rig(http={"enabled": False}) as rig:
        client = await rig.client()
        with pytest.raises(RemoteError, match=r"gateway\.http\.enabled is false"):
            await client.call("media.ticket", ASKED)
