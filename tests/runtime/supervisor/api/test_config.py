"""The configuration as operators read, write and look it up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ipc.errors import RemoteError
from runtime.config.errors import ConfigError, Problem
from runtime.supervisor.api.config import refusal
from tests.support.parts_rig import PartsRig

TEXT = {"gateway": {"auth": {"token": "t0psecret"}}, "channels": {"local": {"accounts": {}}}}


class FileRig(PartsRig):
    """Parts whose configuration is a file."""

    def read(self, text: str | None = None) -> Any:
        path = self.directory / "trunkline.json5"
        return super().read(text or path.read_text())

    async def json(self, name: str, **params: Any) -> Any:
        """Return an answer as a client reads it."""
        return msgspec.json.decode(msgspec.json.encode(await self.ask(name, **params)))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[FileRig]:
    (tmp_path / "trunkline.json5").write_text(json.dumps(TEXT))
    made = FileRig(tmp_path)
    yield made
    made.close()


async def test_the_file_is_shown_without_secrets_and_with_its_hash(rig: FileRig) -> None:
    shown = await rig.json("config.get")
    assert (shown["exists"], shown["valid"], shown["issues"]) == (True, True, [])
    assert "t0psecret" not in str(shown)
    assert shown["hash"] == shown["appliedConfigHash"]
    assert shown["hash"].startswith("hmac-sha256:")


async def test_a_patch_is_written_and_taken_over(rig: FileRig) -> None:
    base = (await rig.json("config.get"))["hash"]
    patch = {"supervisor": {"startConcurrency": 3}}
    answer = await rig.json("config.patch", raw=json.dumps(patch), baseHash=base)
    assert (answer["ok"], answer["restart"]) == (True, None)
    assert rig.configuration.config.supervisor.start_concurrency == 3
    assert "t0psecret" in (rig.directory / "trunkline.json5").read_text()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"raw": "{}"}, "config base hash required; re-run config.get and retry"),
        ({"raw": "{}", "baseHash": "old"}, "config changed since last load"),
        ({"raw": "{", "baseHash": "old"}, "config.patch raw is not JSON5"),
        ({"raw": "[]", "baseHash": "old"}, "config.patch raw must be an object"),
    ],
)
async def test_a_patch_that_cannot_be_made_changes_nothing(
    rig: FileRig, params: dict[str, Any], said: str
) -> None:
    before = rig.configuration.revision
    with pytest.raises(RemoteError, match=said):
        await rig.ask("config.patch", **params)
    assert rig.configuration.revision == before


async def test_a_text_that_is_wrong_is_refused_with_its_problems(rig: FileRig) -> None:
    base = (await rig.json("config.get"))["hash"]
    with pytest.raises(RemoteError, match="invalid config: ") as caught:
        await rig.ask("config.set", raw="{ gateway: { prot: 1 } }", baseHash=base)
    assert caught.value.details is not None
    assert caught.value.details["issues"]


def test_a_refusal_names_three_problems_and_counts_the_rest() -> None:
    problems = [Problem(f"a.{number}", "is wrong") for number in range(5)]
    error = refusal(ConfigError("c.json5", problems))
    assert error.message.endswith("(+2 more issues)")
    assert len(error.details["issues"]) == 5
    assert refusal(ConfigError("c.json5", [Problem("", "is no file")])).message == "is no file"


async def test_the_schema_can_be_looked_up_by_place(rig: FileRig) -> None:
    whole = await rig.json("config.schema")
    assert whole["version"] == "1.2"
    assert "gateway" in whole["schema"]["properties"]
    assert await rig.json("config.schema.lookup", path="gateway.port")
    with pytest.raises(RemoteError, match="config schema path not found"):
        await rig.ask("config.schema.lookup", path="gateway.nothing")
