"""How the command line introduces itself."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from ops.connect.identity import client_description, own_version
from tests.support.commandline import ROOT


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert own_version() in (project["version"], "0+source")


def described(folder: Path, text: str) -> str:
    info = folder / "trunkline-7.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Metadata-Version: 2.1\nName: trunkline\nVersion: 7.1\n\nVersion: no\n", "7.1"),
        ("Metadata-Version: 2.1\nName: trunkline\nVersion: 7.2rc1\n", "7.2rc1"),
    ],
)
def test_the_version_is_what_the_library_finds(
    text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(described(tmp_path, text))
    own_version.cache_clear()
    try:
        assert own_version() == version("trunkline") == expected
    finally:
        own_version.cache_clear()


def test_without_a_folder_that_describes_it_the_library_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [])
    own_version.cache_clear()
    try:
        assert own_version() == "0+source"
    finally:
        own_version.cache_clear()


def test_a_client_describes_itself_to_the_server() -> None:
    told = client_description("cli", "cli")
    assert (told["id"], told["mode"], told["platform"]) == ("cli", "cli", "linux")
    assert told["version"] == own_version()
