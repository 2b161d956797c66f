"""Many clients connect at once: those with the right token get in, beside as many wrong ones."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import TOKEN, Daemon
from tests.support.rawclient import RawClient, connect_params

pytestmark = pytest.mark.e2e

COUNT = 40
CONFIG: dict[str, Any] = {"channels": {"local": {"accounts": {"one": {}}}}}


async def answer_to(daemon: Daemon, token: str) -> Any:
    """Return what a client that connects with ``token`` is answered."""
    client = await RawClient.open(f"ws://127.0.0.1:{daemon.port}")
    try:
        return await client.call("connect", connect_params(token))
    finally:
        client.socket.transport.abort()


async def answers_to(daemon: Daemon, token: str, count: int) -> list[Any]:
    return await asyncio.gather(*(answer_to(daemon, token) for _ in range(count)))


@pytest.mark.parametrize("others", [0, COUNT])
async def test_a_burst_of_clients_is_admitted(tmp_path: Path, others: int) -> None:
    async with Daemon(tmp_path, CONFIG) as daemon:
        await daemon.wait_phase("local:one", "running")
        wrong = asyncio.create_task(answers_to(daemon, "wrong", others))
        assert [answer["ok"] for answer in await answers_to(daemon, TOKEN, COUNT)] == [True] * COUNT
        codes = [answer["error"]["details"]["code"] for answer in await wrong]
        assert codes == ["AUTH_TOKEN_MISMATCH"] * others
