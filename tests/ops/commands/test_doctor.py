"""``trunkline doctor`` with a daemon, without one, and with a broken configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.exits import ExitCode
from tests.support.commandline import trunkline
from tests.support.fakeserver import account, fake_supervisor, status


@pytest.fixture
def state_dir(state: Path) -> Path:
    """A state directory as `up` makes it."""
    (state / "logs").mkdir(mode=0o700)
    return state


async def test_it_works_with_nothing_there_and_mends_what_cannot_hurt(state_dir: Path) -> None:
    (state_dir / "logs").chmod(0o755)
    found = await trunkline(state_dir, "doctor")
    assert found.code == 0  # only warnings
    assert "no supervisor is running" in found.out
    assert f"cure: chmod 700 {state_dir}/logs" in found.out
    linted = await trunkline(state_dir, "doctor", "--lint", "--fix")
    assert linted.code == ExitCode.ERROR
    assert "fixed: mode 700" in linted.out
    assert (state_dir / "logs").stat().st_mode & 0o777 == 0o700


async def test_errors_are_first_and_json_has_all(state_dir: Path) -> None:
    (state_dir / "trunkline.json5").write_text("{gateway: {port: 'x'}}")
    (state_dir / "trunkline.json5").chmod(0o600)
    rows = status(account("irc:a", phase="failed", cause="misconfigured"))
    async with fake_supervisor(state_dir, supervisor__status=rows):
        found = await trunkline(state_dir, "doctor", "--json")
    assert found.code == ExitCode.ERROR
    assert found.json["schemaVersion"] == 1
    assert found.json["ok"] is False
    assert found.json["checksRun"] > 30
    severities = [each["severity"] for each in found.json["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    checks = {each["checkId"] for each in found.json["findings"]}
    assert {"config.valid", "accounts.failed"} <= checks
