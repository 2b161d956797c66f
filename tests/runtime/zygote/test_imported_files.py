"""What counts as a change of what was imported: each row changes one file of a package."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.zygote.imported_files import ImportedFiles

PACKAGE = "changing_plugin"
HELPER = "changing_helper"  # beside it: what it imports


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / PACKAGE
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(f"import {HELPER}\n")
    (package / "inner" / "late.py").write_text("")  # imported by a worker, if at all
    (tmp_path / f"{HELPER}.py").write_text("")
    (tmp_path / "stranger.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, HELPER)]:
        del sys.modules[name]


def replaced_of_old(path: Path) -> None:
    """Put another file of the same size and time in place, as an unpacked archive would."""
    kept = path.stat()
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    other.replace(path)


def with_bytecode(package: Path) -> None:
    """Add a file as another interpreter writes it beside the code."""
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "late.cpython-311.pyc").write_text("x")


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "nothing": (lambda place: None, False),
    "an edit of the plugin": (lambda p: (p / PACKAGE / "plugin.py").write_text("import os"), True),
    "an edit of what it has imported": (lambda p: (p / f"{HELPER}.py").write_text("a = 1"), True),
    "an edit of what it has not imported yet": (
        lambda p: (p / PACKAGE / "inner" / "late.py").write_text("a = 1"),
        True,
    ),
    "a new module": (lambda p: (p / PACKAGE / "inner" / "new.py").write_text(""), True),
    "a module that is gone": (lambda p: (p / f"{HELPER}.py").unlink(), True),
    "a package that is gone": (lambda p: (p / PACKAGE).rename(p / "elsewhere"), True),
    "another file with the same size and time": (
        lambda p: replaced_of_old(p / PACKAGE / "plugin.py"),
        True,
    ),
    "a file that is no code": (lambda p: (p / PACKAGE / "notes.txt").write_text("x"), False),
    "bytecode": (lambda p: with_bytecode(p / PACKAGE), False),
    "a module of another package": (lambda p: (p / "stranger.py").write_text("a = 1"), False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_code_and_of_nothing_else_is_seen(place: Path, change: str) -> None:
    change_it, expected = CHANGES[change]
    before = set(sys.modules)
    importlib.import_module(f"{PACKAGE}.plugin")
    files = ImportedFiles(before, [PACKAGE, f"{PACKAGE}.plugin"])
    assert not files.has_changed()
    change_it(place)
    assert files.has_changed() is expected


def test_a_plugin_of_one_file_is_looked_at_alone(place: Path) -> None:
    before = set(sys.modules)
    importlib.import_module(HELPER)
    files = ImportedFiles(before, [HELPER])
    (place / "stranger.py").write_text("a = 1")
    assert not files.has_changed()
    (place / f"{HELPER}.py").write_text("a = 1")
    assert files.has_changed()


def test_odd_objects_among_the_modules_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "odd_one", object())
    monkeypatch.setitem(sys.modules, "no_module", None)
    assert not ImportedFiles(before, ["odd_one", "no_module", "not_there"]).has_changed()
