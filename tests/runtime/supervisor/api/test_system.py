"""What the supervisor answers about itself, and how it is ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.errors import RemoteError
from tests.support.accounts import spec_of
from tests.support.parts_rig import PartsRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PartsRig]:
    made = PartsRig(tmp_path, boot=7)
    yield made
    made.close()


async def test_the_status_has_a_row_for_each_account(rig: PartsRig) -> None:
    rig.parts.roster.add(spec_of("local:a", enabled=False))
    status = await rig.ask("supervisor.status")
    assert [row["account"] for row in status["accounts"]] == ["local:a"]
    assert (status["supervisor"]["boot"], status["gateway"]["phase"]) == (7, "stopped")
    await rig.parts.roster.close()


async def test_the_warnings_are_those_of_the_status(rig: PartsRig) -> None:
    status = await rig.ask("supervisor.status")
    rig.parts.configuration.invalid = "the file cannot be used"
    found = (await rig.ask("supervisor.warnings"))["warnings"]
    assert found == ["the file cannot be used", *status["supervisor"]["warnings"]]


async def test_the_version_comes_with_the_pid(rig: PartsRig) -> None:
    assert await rig.ask("version") == {"version": "1.2", "pid": os.getpid()}


async def test_metrics_are_text_for_prometheus(rig: PartsRig) -> None:
    text = (await rig.ask("metrics"))["text"]
    assert "trunkline_gateway_up 0" in text


async def test_a_reload_answers_with_the_revision(rig: PartsRig) -> None:
    assert (await rig.ask("config.reload"))["revision"] == rig.configuration.revision


async def test_after_a_shutdown_nothing_is_reloaded(rig: PartsRig) -> None:
    assert await rig.ask("shutdown") == {"ok": True, "pid": os.getpid()}
    assert rig.ended == 1
    with pytest.raises(RemoteError, match="the supervisor is stopping"):
        await rig.ask("config.reload")
