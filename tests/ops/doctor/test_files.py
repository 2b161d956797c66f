"""Checks of files that need another user, or a host's configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.doctor import files
from tests.support.doctor_facts import healthy
from tests.support.short_directory import ShortDirectory


@pytest.fixture
def place() -> Iterator[Path]:
    with ShortDirectory() as path:
        yield path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_user_is_named(place: Path) -> None:
    facts = healthy(place)
    assert list(files.owners(facts)) == []
    for other, name in enumerate(("a", "b"), 1):
        (place / "state" / name).touch()
        os.chown(place / "state" / name, other, other)
    (found,) = files.owners(facts)
    assert "and 1 more belong to another user" in found.message
    for command in str(found.cure).split(" && "):
        subprocess.run(command.split(), check=True)
    assert list(files.owners(facts)) == []


@pytest.mark.parametrize(
    ("flag", "allowed", "words"),
    [
        (0, True, ""),
        (os.ST_RDONLY, False, "read-only"),
        (0, False, "you may not write"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_state_directory_that_cannot_be_written(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    flag: int,
    allowed: bool,
    words: str,
    there: bool,
) -> None:
    facts = healthy(place)
    state = place / "state" if there else place / "state" / "new" / "deep"
    facts = replace(facts, places=replace(facts.places, state_dir=state))
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flag))
    monkeypatch.setattr(os, "access", lambda path, mode, **more: allowed)
    found = [each.message for each in files.state_directory(facts)]
    assert [words in each and f"{place}/state" in each for each in found] == [True] * bool(words)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("d /tmp 1777 root root 10d", 1),
        ("D /tmp 1777 root root -", 0),
        ("# d /tmp 1777 root root 10d", 0),
        ("d /var/tmp 1777 root root 30d", 0),
    ],
)
def test_sockets_where_a_cleaner_comes_by(
    place: Path, monkeypatch: pytest.MonkeyPatch, line: str, found: int
) -> None:
    cleaner = place / "tmp.conf"
    cleaner.write_text(f"{line}\n")
    monkeypatch.setattr(files, "_CLEANERS", (place / "none", cleaner))
    facts = healthy(place)
    facts = replace(facts, places=replace(facts.places, run_dir=Path("/tmp/trunkline-0-1")))
    assert len(list(files.cleaned_sockets(facts))) == found
    elsewhere = replace(facts, places=replace(facts.places, run_dir=Path("/run/user/0/x")))
    assert list(files.cleaned_sockets(elsewhere)) == []
