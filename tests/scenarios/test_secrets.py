"""Scenario 76: what is reported of a failure holds no secret."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.supervisor.gateways.interface import SessionEvents
from runtime.supervisor.gateways.own_session import OwnSession
from tests.support.fakeserver import FakeServer

TOKEN = "s3cr3t-0123456789-abcdef"


class Silent:
    """Has nothing to report."""

    def whole(self) -> dict[str, Any]:
        return {}

    def changes(self) -> dict[str, Any] | None:
        return None

    def on_answer(self, answer: Any) -> None:
        pass


async def answer(method: str, params: Any, by: str | None) -> Any:
    return {}


async def test_s076_what_is_told_of_a_refused_session_does_not_hold_its_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = FakeServer(token="another")
    await server.on_tcp()
    faults: list[str] = []
    faulty = asyncio.Event()

    def on_fault(reason: str) -> None:
        faults.append(reason)
        faulty.set()

    session = OwnSession(
        server.url,
        TOKEN,
        SessionEvents(lambda: None, faults.append, on_fault, on_fault),
        version="1",
        reporter=Silent(),
        answer=answer,
    )
    task = asyncio.create_task(session.run())
    await asyncio.wait_for(faulty.wait(), 20)
    task.cancel()
    await asyncio.wait([task])
    await server.close()
    assert server.hellos[0]["auth"]["token"] == TOKEN  # it was said there, and only there
    captured = capsys.readouterr()
    assert TOKEN not in "".join([*faults, captured.out, captured.err])
