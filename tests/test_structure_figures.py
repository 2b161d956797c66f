"""The figures of a small product whose every figure is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure_figures import Tree, circles, figures

LONG = "\n".join(f"    x = {number}" for number in range(40))
PRODUCT = {
    "ipc/__init__.py": "",
    "ipc/low.py": (
        '"""Decide. Pure."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import zmq\n'
    ),
    "runtime/supervisor.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from runtime.parts import Parts\n"
        "class Supervisor:\n"
        "    def __init__(self):\n        self.parts, self._task = 1, 2\n"
    ),
    "runtime/parts.py": (
        "from runtime import supervisor\nclass Parts:\n    roster: int\n    holds: int\n"
    ),
    "ops/main.py": f"class Parts: ...\ndef long(a, b, c, d, e, *, f, g, h, **i):\n{LONG}\n",
    "tests/runtime/test_parts.py": "",
    "tests/test_low.py": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for name, text in PRODUCT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product files", "5"),
        ("largest product file, lines", "42 (ops/main.py)"),
        ("largest folder, files", "2 (ipc)"),
        ("test files", "2"),
        ("circles, type imports counted", "1"),
        ("modules in circles", "2"),
        ("`if TYPE_CHECKING` blocks", "2"),
        ("of these with modules of ours", "1"),
        ("attributes of Supervisor, all / public", "2 / 1"),
        ("attributes of Parts, all / public", "2 / 2"),
        ("attributes of Hub, all / public", "-"),
        ("modules without a test file at their place", "3 of 4"),
        ("modules without a test file of their name", "2 of 4"),
        ("functions over 40 lines", "1"),
        ("functions with over 8 parameters", "1"),
        ("class names that stand twice", "1"),
        ("modules that call themselves pure", "1"),
    ],
)
def test_each_figure_counts_what_its_name_says(tree: Tree, name: str, value: str) -> None:
    assert figures(tree)[name] == value


def test_circles_that_meet_are_one() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
    assert circles(graph) == [["a", "b", "c"], ["e", "f"]]
