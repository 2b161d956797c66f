"""Functions are named and described by verbs of one meaning; docs/architecture.md has the list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ipc", "workers", "runtime", "ops")
Described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# Each of these has meant something else in each class, so that a reader had to look it up.
REFUSED = {
    "came", "come", "enter", "give", "go", "grew", "hand", "hear", "know", "learn", "leave", "look",
    "meet", "met", "pump", "say", "see", "take", "tell", "told", "took",
}  # fmt: skip
# The words of the kit for channels of others, which its documentation uses.
OF_THE_KIT = {"say", "meet"}
# First words of descriptions that say nothing, or say it in pictures; of modules and classes too.
VAGUE = {
    "enter", "enters", "give", "gives", "go", "goes", "hand", "hands", "hear", "hears", "know",
    "knows", "learn", "learns", "let", "lets", "meet", "meets", "note", "notes", "say", "says",
    "see", "sees", "take", "takes", "tell", "tells", "look", "looks",
}  # fmt: skip
# The end of a sentence; of one that continues on the next line there is none in the first line.
END = re.compile(r"""[.?!…]["')`]*(\s|$)""")
# With one of these behind it such a word has a meaning of its own.
IDIOMS = ("give up", "gives up", "look up", "looks up", "take over", "takes over")


def refused_names(source: str, *, kit: bool = False) -> list[str]:
    return [name for name in _functions(ast.parse(source)) if _is_refused(name, kit=kit)]


def _functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def _is_refused(name: str, *, kit: bool) -> bool:
    if name.startswith("__") or name.strip("_").startswith(("give_up", "take_over", "take_back")):
        return False
    verb = name.strip("_").split("_")[0]
    return verb in REFUSED and not (kit and verb in OF_THE_KIT)


def vague_docstrings(source: str) -> list[str]:
    found = (ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if _is_described(node))
    return [text.partition("\n")[0] for text in found if text is not None and _is_vague(text)]


def _is_described(node: ast.AST) -> TypeGuard[Described]:
    return isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)


def _is_vague(text: str) -> bool:
    first, second = ([*text.lower().split(), "", ""])[:2]
    return first.strip(".,:;") in VAGUE and f"{first} {second.strip('.,:;')}" not in IDIOMS


def broken_first_lines(source: str) -> list[str]:
    """Return the first lines of docstrings whose first sentence ends on a later line."""
    found = (ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if _is_described(node))
    first = (text.partition("\n")[0] for text in found if text is not None)
    return [line for line in first if not END.search(line)]


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_named_by_verbs_of_one_meaning(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in refused_names(path.read_text(), kit="testing" in path.parts)
    }
    assert not found


@pytest.mark.parametrize("package", PACKAGES)
def test_descriptions_begin_with_a_technical_verb(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {line}"
        for path in (ROOT / package).rglob("*.py")
        for line in vague_docstrings(path.read_text())
    }
    assert not found


@pytest.mark.parametrize("package", PACKAGES)
def test_the_first_line_of_a_description_is_complete(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {line}"
        for path in (ROOT / package).rglob("*.py")
        for line in broken_first_lines(path.read_text())
    }
    assert not found


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("Return the name.", False),
        ("Return the name. It is the one\n    of the account.", False),
        ("Return the name, which is that\n    of the account.", True),
        ("A mention, a link, a command, …", False),
        ("The first of ``a.b``\n    and of another.", True),
    ],
)
def test_which_first_lines_are_refused(text: str, broken: bool) -> None:
    assert bool(broken_first_lines(f'def each():\n    """{text}"""\n')) is broken


@pytest.mark.parametrize(
    ("text", "vague"),
    [
        ("Take what has come.", True),
        ("Look now.", True),
        ("Look up a name.", False),
        ("Hands messages on.", True),
        ("Give up, for good.", False),
        ("Give an answer.", True),
        ("Taken messages.", False),
        ("Return what was taken.", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("head", ["", "class Each:\n    ", "async def each():\n    "])
def test_which_descriptions_are_refused(head: str, text: str, vague: bool) -> None:
    assert bool(vague_docstrings(f'{head}"""{text}"""\n')) is vague


@pytest.mark.parametrize(
    ("name", "kit", "refused"),
    [
        ("take", False, True),
        ("_look_again", False, True),
        ("take_over", False, False),
        ("give_up", False, False),
        ("giveaway", False, False),
        ("__enter__", False, False),
        ("say", False, True),
        ("say", True, False),
        ("take", True, True),
        ("receive", False, False),
    ],
)
def test_which_names_are_refused(name: str, kit: bool, refused: bool) -> None:
    source = f"class Each:\n    async def {name}(self): ...\n"
    assert bool(refused_names(source, kit=kit)) is refused
