"""``pip install -e '.[bench]'`` brings everything that the benchmarks import."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"ipc", "workers", "runtime", "ops", "bench"}


def imported(path: Path, seen: set[Path]) -> Iterator[str]:
    """Yield the names of other people's packages, those that support of the tests takes too."""
    if path in seen or not path.exists():
        return
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            top = name.partition(".")[0]
            if top == "tests":
                place = ROOT / name.replace(".", "/")
                yield from imported(place.with_suffix(".py"), seen)
                yield from imported(place / "__init__.py", seen)
            elif top not in OURS | sys.stdlib_module_names:
                yield top


def test_the_extra_brings_everything_that_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["bench"]]
    brought = {re.split(r"[<>=\[ ]", each)[0].lower() for each in wanted}
    seen: set[Path] = set()
    names = {name for path in (ROOT / "bench").rglob("*.py") for name in imported(path, seen)}
    known = packages_distributions()
    missing = {name for name in names if known.get(name, [name])[0].lower() not in brought}
    assert not missing
    assert {"jsonschema", "hypothesis", "pytest"} <= names, "nothing is found any more"


def test_the_extra_brings_the_plugins_that_the_settings_of_pytest_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "timeout" in project["tool"]["pytest"]["ini_options"]
    extra = project["project"]["optional-dependencies"]["bench"]
    assert any(each.startswith("pytest-timeout") for each in extra)
