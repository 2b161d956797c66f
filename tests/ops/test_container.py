"""The container: what its files say is so. Images are not built here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ops.cli.tree import commands

ROOT = Path(__file__).parents[2]
LINES = [
    line
    for line in (ROOT / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]
COMPOSE: Any = msgspec.yaml.decode((ROOT / "compose.yaml").read_bytes())


def last(instruction: str) -> str:
    found = [line for line in LINES if line.startswith(f"{instruction} ")]
    assert found, instruction
    return found[-1].removeprefix(f"{instruction} ").strip()


def test_the_image_runs_as_a_user_of_its_own() -> None:
    assert LINES[0].startswith("FROM ")
    assert last("USER") == "trunkline"
    assert "--uid 10001" in " ".join(LINES)
    assert not any(":latest" in line for line in LINES)


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD", "HEALTHCHECK"])
def test_what_it_runs_are_commands_of_ours(instruction: str) -> None:
    words = json.loads(re.sub(r"^.*?(?=\[)", "", last(instruction)))
    paths = [command.path for command in commands()]
    if instruction == "ENTRYPOINT":
        assert words == ["trunkline"]
    else:
        assert tuple(word for word in words if word != "trunkline") in paths


def test_what_must_survive_lies_in_a_volume() -> None:
    (place,) = json.loads(last("VOLUME"))
    assert f"TRUNKLINE_STATE_DIR={place}" in last("ENV")
    service = COMPOSE["services"]["trunkline"]
    assert service["volumes"] == [f"state:{place}"]
    assert "state" in COMPOSE["volumes"]


def test_compose_builds_this_file_and_gives_no_right_that_is_not_needed() -> None:
    service = COMPOSE["services"]["trunkline"]
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_copied_file_exists() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in ("constraints.txt", "pyproject.toml", "README.md", "docs", "CHANGELOG.md"):
        assert (ROOT / name).exists()
        assert name not in ignored  # the wheel is made of them
