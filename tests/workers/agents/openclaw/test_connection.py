"""Sessions to the other gateway: the one that is there, the next one, and why there is none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.context import RecordingContext
from tests.support.until import PATIENCE, until
from tests.workers.agents.openclaw.other import TOKEN, Other, Run, other_gateway
from workers.agents.openclaw.config import OpenClawConfig
from workers.agents.openclaw.connection import OtherGateway, OtherSession
from workers.errors import Transient


async def never(run: Run) -> None:
    pass


@asynccontextmanager
async def connected(
    tmp_path: Path, **fields: Any
) -> AsyncIterator[tuple[OtherGateway, Other, list[tuple[str, Mapping[str, Any]]]]]:
    told: list[tuple[str, Mapping[str, Any]]] = []
    async with other_gateway(never) as other:
        given = {"url": other.url, "token": TOKEN} | fields
        ctx: Any = RecordingContext(msgspec.convert(given, OpenClawConfig), tmp_path)
        gateway = OtherGateway(ctx, lambda *event: told.append(event))
        work = asyncio.ensure_future(gateway.run())
        try:
            yield gateway, other, told
        finally:
            work.cancel()
            await asyncio.wait([work])
            assert gateway.closing


async def opened(gateway: OtherGateway) -> OtherSession:
    """Return the first session, however long that takes; ``awaySeconds`` may be less."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(Transient):
                return await gateway.session()


async def test_a_session_follows_another_and_names_the_process(tmp_path: Path) -> None:
    async with connected(tmp_path) as (gateway, other, told):
        first = await gateway.session()
        assert (first.number, first.process) == (1, "process 1")
        other.cut()
        second = await gateway.session(first.number)
        assert (second.number, second.process) == (2, "process 1")
        other.restart()
        assert (await gateway.session(second.number)).process == "process 2"
        await other.tell("chat", {"runId": "r"})
        await other.tell("tick", {})
        await until(lambda: told)
        assert told == [("chat", {"runId": "r"})]


async def test_a_gateway_that_goes_away_is_waited_for_and_no_longer(tmp_path: Path) -> None:
    async with connected(tmp_path, awaySeconds=0.1) as (gateway, other, _):
        first = await opened(gateway)
        other.away = True
        other.cut()
        with pytest.raises(Transient):
            await gateway.session(first.number)


async def test_a_conversation_is_begun_anew_as_administrator(tmp_path: Path) -> None:
    async with connected(tmp_path) as (gateway, other, _):
        await gateway.session()
        await gateway.reset("agent:main:x")
        assert other.asked == [("sessions.reset", {"key": "agent:main:x", "reason": "new"})]
        device = {connect["device"]["id"] for connect in other.connects}
        assert len(device) == 1, "it is one device that is approved there"
        other.token = "another"
        await gateway.reset("agent:main:x")  # refused, and the conversation goes on
