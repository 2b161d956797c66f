"""The parts of a gateway as they are connected when they are made."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.gateway.assembly import SWITCH_SECONDS
from runtime.gateway.journal.interface import FILE
from tests.support.gateway_rig import gateway_rig
from tests.support.until import until


async def test_the_journal_is_made_when_it_is_first_needed_and_not_before() -> None:
    before = sys.getswitchinterval()
    try:
        async with gateway_rig() as rig:
            parts, file = rig.parts, Path(rig.parts.boot.state_dir) / FILE
            assert (parts.intake.journal, file.exists()) == (None, False)
            parts.intake.open()
            await parts.intake.wait_until_open(10)
            assert file.exists()
            assert abs(sys.getswitchinterval() - SWITCH_SECONDS) < 1e-5
            assert await parts.sessions.open("agent:main:main", "main", 1)
    finally:
        sys.setswitchinterval(before)


async def test_what_a_commit_lets_out_leaves_before_the_loop_runs_anything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy loop would hold it up for a whole iteration more."""
    order: list[str] = []
    async with gateway_rig() as rig:
        worker = await rig.worker("irc:libera", journal="on")
        handover, data_link = rig.parts.handover, rig.parts.data_link
        publish, acknowledge = handover.publish, data_link.acknowledge

        def on_publish(*what: Any) -> None:
            order.append("published")
            asyncio.get_running_loop().call_soon(order.append, "anything else")
            publish(*what)

        def on_acknowledge() -> None:
            order.append("acknowledged")
            acknowledge()

        monkeypatch.setattr(handover, "publish", on_publish)
        monkeypatch.setattr(data_link, "acknowledge", on_acknowledge)
        worker.say(1)
        await until(lambda: "anything else" in order)
    after = order[order.index("published") :]
    assert after[:3] == ["published", "acknowledged", "anything else"]


async def test_an_agent_that_comes_is_given_the_runs_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig() as rig:
        come: list[tuple[str, int]] = []
        monkeypatch.setattr(rig.parts.runs, "on_agent_ready", lambda *what: come.append(what))
        await rig.worker("agent:echo", 3)
        assert come == [("agent:echo", 3)]
