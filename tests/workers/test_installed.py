"""What is found by entry point, whatever it is: the rules that channels and agents share."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from workers.installed import (
    InstalledManifests,
    UnusableManifest,
    flaw_of_code,
    flaw_of_config,
    flaw_of_fields,
    flaw_of_identity,
    load_manifest,
)

GROUP = "trunkline.test_things"
POINTS = f"[{GROUP}]\nx = thing_of_tests:manifest\n"


def sound(id: str, manifest: object) -> str | None:
    return None if isinstance(manifest, str) else "is no text"


def test_what_is_found_keeps_what_is_broken_apart() -> None:
    found: InstalledManifests[str] = InstalledManifests()
    built_in = {"words": "string:digits", "gone": "string:nothing", "odd": "string:Template"}
    found.find("thing", "trunkline.nothing.at.all", built_in, sound)
    assert {each.ref for each in found.values()} == {"string:digits"}
    assert list(found) == ["words"]
    assert (found["words"].manifest, found["words"].package) == ("0123456789", "trunkline")
    assert found.broken["odd"] == "trunkline: string:Template is no text"
    assert "AttributeError" in found.broken["gone"]
    assert found.warnings[1].startswith("thing odd of trunkline cannot be used: string:Template")


@pytest.fixture
def unimported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "thing_of_tests", raising=False)


def found_things() -> dict[str, str]:
    found: InstalledManifests[str] = InstalledManifests()
    found.find("thing", GROUP, {}, sound)
    assert (found.warnings, found.broken) == ([], {})
    return {name: each.manifest for name, each in found.items()}


def lay_out(folder: Path) -> Path:
    """Write a package with an entry point into a folder; return what describes it."""
    (folder / "thing_of_tests.py").write_text("manifest = 'words'\n")
    info = folder / "Thing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
    (info / "entry_points.txt").write_text(POINTS)
    return info


@pytest.mark.usefixtures("unimported")
def test_a_package_in_a_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_things() == {}
    lay_out(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert found_things() == {"x": "words"}


def test_a_package_in_an_archive_is_found(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    lay_out(whole)
    with zipfile.ZipFile(tmp_path / "things.zip", "w") as archive:
        for path in whole.rglob("*"):
            archive.write(path, path.relative_to(whole))
    # In a process of its own: the library keeps the archive open.
    code = "from tests.workers.test_installed import found_things; print(found_things())"
    places = os.pathsep.join([str(tmp_path / "things.zip"), *filter(None, sys.path)])
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env={"PYTHONPATH": places}, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{'x': 'words'}\n", "")


@pytest.mark.usefixtures("unimported")
def test_a_package_that_another_finder_finds_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = lay_out(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    info.rename(tmp_path / "elsewhere")

    class Finder:
        @staticmethod
        def find_spec(*_: object) -> None:
            return None

        @staticmethod
        def find_distributions(*_: object) -> list[PathDistribution]:
            return [PathDistribution(tmp_path / "elsewhere")]

    assert found_things() == {}
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert found_things() == {"x": "words"}


def test_a_reference_without_a_name_means_the_manifest() -> None:
    with pytest.raises(UnusableManifest, match="has no attribute 'manifest'"):
        load_manifest("x", "string", sound)


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        (flaw_of_identity("a", "a"), None),
        (flaw_of_identity("a", "b"), "calls itself 'b', but its entry point is named 'a'"),
        (flaw_of_identity("a/b", "a/b"), "has the id 'a/b'; allowed: 1 to 64"),
        (flaw_of_code("agent", "a.b:C"), None),
        (flaw_of_code("agent", "a.b"), "has the agent 'a.b'; allowed: package.module:Class"),
        (flaw_of_config(dict), "has a config that is not a msgspec.Struct"),
        (flaw_of_fields({"model"}, ["model.key"], {"name"}, "agent"), None),
        (flaw_of_fields({"name"}, [], {"name"}, "agent"), "that every agent has already: name"),
        (flaw_of_fields({"a"}, ["b.c"], {"name"}, "agent"), "secrets that are no config fields: b"),
    ],
)
def test_what_makes_one_unusable_is_named(flaw: str | None, said: str | None) -> None:
    assert flaw is None if said is None else said in str(flaw)
