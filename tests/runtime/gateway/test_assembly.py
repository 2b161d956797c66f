"""The parts of a gateway as they are connected when they are made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runtime.gateway.assembly import SWITCH_SECONDS
from runtime.gateway.journal.interface import FILE
from tests.support.gateway_rig import gateway_rig


async def test_the_journal_is_made_when_it_is_first_needed_and_not_before() -> None:
    before = sys.getswitchinterval()
    try:
        async with gateway_rig() as rig:
            parts, file = rig.parts, Path(rig.parts.boot.state_dir) / FILE
            assert (parts.intake.journal, file.exists()) == (None, False)
            parts.intake.open()
            await parts.intake.opened(10)
            assert file.exists()
            assert abs(sys.getswitchinterval() - SWITCH_SECONDS) < 1e-5
            assert await parts.sessions.opened("agent:main:main", "main", 1)
    finally:
        sys.setswitchinterval(before)


async def test_an_agent_that_comes_is_given_the_runs_that_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with gateway_rig() as rig:
        come: list[tuple[str, int]] = []
        monkeypatch.setattr(rig.parts.runs, "agent_ready", lambda *what: come.append(what))
        await rig.worker("agent:echo", 3)
        assert come == [("agent:echo", 3)]
