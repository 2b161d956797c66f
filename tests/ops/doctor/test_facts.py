"""What is gathered of a runtime that is there, and of one that is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ops.connect.places import places_of
from ops.connect.target import RuntimeTarget
from ops.doctor.facts import gather
from tests.support.fakeserver import BACKOFF, account, fake_supervisor, status


async def test_nothing_is_there_and_nothing_is_raised(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(state))
    target = RuntimeTarget({"state_dir": str(state / "none")})
    facts = await asyncio.to_thread(gather, target, places_of(target))
    assert (facts.loaded, facts.refused, facts.status, facts.units) == (None, None, None, {})
    assert "no supervisor is running" in str(facts.silent)
    assert "doctor" not in str(facts.silent)
    assert facts.limits.disk_total > 0


async def test_the_daemon_and_a_wrong_configuration_are_both_found(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_RUNTIME_DIR", str(state))
    (state / "trunkline.json5").write_text("{gateway: 1}")
    target = RuntimeTarget({"state_dir": str(state)})
    rows = status(account("irc:libera", **BACKOFF))
    async with fake_supervisor(state, supervisor__status=rows):
        facts = await asyncio.to_thread(gather, target, places_of(target))
    assert [each["account"] for each in facts.accounts] == ["irc:libera"]
    assert "gateway: is 1" in str(facts.refused)
