"""What an upgrade has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.actions.upgrade import read_changelog, show_upgrade
from tests.support.commandline import trunkline
from tests.support.fakeserver import fake_supervisor, status


async def test_a_daemon_of_another_version_is_to_be_restarted(state: Path) -> None:
    older = status()
    older["supervisor"]["version"] = "0.0.1"
    async with fake_supervisor(state, supervisor__status=older):
        found = (await trunkline(state, "upgrade", "--check", "--json")).json
    assert found["running"] == "0.0.1"
    assert (found["restart"], found["newer"]) == (True, False)


async def test_without_a_daemon_nothing_runs(state: Path) -> None:
    found = await trunkline(state, "upgrade", "--check")
    assert "no daemon runs" in found.out


@pytest.mark.parametrize(
    ("running", "restart", "newer", "words"),
    [
        ("1", False, False, "1 is installed, and runs"),
        ("0", True, False, "0 runs, and 1 is installed: trunkline service restart"),
        ("2", True, True, "refuses a newer version's journal"),
    ],
)
def test_a_person_reads_what_is_to_be_done(
    capsys: pytest.CaptureFixture[str], running: str, restart: bool, newer: bool, words: str
) -> None:
    found = {"running": running, "installed": "1", "restart": restart, "newer": newer}
    show_upgrade(found | {"changes": {"1": "* news"} if restart else {}})
    out = capsys.readouterr().out
    assert words in out
    assert ("* news" in out) is restart


def test_the_changelog_is_found() -> None:
    assert read_changelog().startswith("# Changelog")
