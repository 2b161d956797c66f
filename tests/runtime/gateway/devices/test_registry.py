"""The file of pairings: kept, damaged, not writable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.devices import Key, paired
from tests.support.gateway_rig import gateway_rig


def stored(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "devices.json").read_text())
    return found


def set_aside(directory: Path) -> list[str]:
    return [path.read_text() for path in directory.glob("devices.json.damaged-*")]


async def test_pairings_outlive_the_gateway_and_tokens_are_hashed(tmp_path: Path) -> None:
    key = Key()
    async with gateway_rig(state_dir=tmp_path) as rig:
        token = (await paired(rig, key)).auth["deviceToken"]
        path = tmp_path / "devices.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert token not in path.read_text()
        assert stored(tmp_path)["devices"][key.id]["roles"] == ["operator"]
    async with gateway_rig(state_dir=tmp_path) as rig:
        assert (await paired(rig, key, auth={"token": token})).auth["deviceToken"] == token
        fresh = (await paired(rig, key)).auth["deviceToken"]
        assert (await paired(rig, key, auth={"token": fresh})).auth["method"] == "device-token"


async def test_a_damaged_file_costs_the_pairings_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text("{")
    async with gateway_rig(state_dir=tmp_path) as rig:
        assert (await paired(rig, Key())).auth["deviceToken"]
    assert set_aside(tmp_path) == ["{"]


async def test_a_file_that_cannot_be_written_refuses_nobody(tmp_path: Path) -> None:
    async with gateway_rig(state_dir=tmp_path / "missing") as rig:
        key = Key()
        token = (await paired(rig, key)).auth["deviceToken"]
        assert (await paired(rig, key, auth={"token": token})).auth["deviceToken"] == token
