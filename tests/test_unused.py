"""The product has no code that nothing calls, and keeps nothing that nothing reads.

A name counts as used where the product reads it, whatever it belongs to, or where a string is the
name: method tables and import strings name what they call. Tests do not count.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ipc", "workers", "runtime", "ops")
# What other people's packages call: plugins, agents, the tests of channels.
PUBLIC = re.compile(
    r"workers/(plugin|agent|messages|errors|secrets|media/interface)\.py|workers/testing/"
)
IMPORTED = re.compile(r"(?:[\w.]+:)?(?:\w+\.)*(\w+)")  # ``package.module:name``, or the name alone
# Decorators that only change how a function is called; any other one registers it.
PLAIN = re.compile(
    r"(staticmethod|classmethod|property|cache|cached_property|asynccontextmanager|contextmanager"
    r"|overload|dataclass.*|hide_fields.*|\w+\.setter|web\.middleware)\Z"
)
PLUGIN, TYPER, TRACES = "plugins call it", "typer calls it", "opentelemetry calls it"
SEEN_BY_TESTS = "what tests see of the state"
CALLED_FROM_ELSEWHERE = {
    "MemoryJournal": "the second kind of journal, with the same tests, is what other tests use",
    "_Popen": "multiprocessing calls it",
    "coerce": TYPER,
    "exec_command": "an interpreter of its own calls it, as processes/exec_call.py has it",
    "get_help": TYPER,
    "fresh_credentials": PLUGIN,
    "generate_span_id": TRACES,
    "generate_trace_id": TRACES,
    "has_turn": SEEN_BY_TESTS,
    "paces": SEEN_BY_TESTS,
    "save_credentials": PLUGIN,
}
# Attributes that are only written, each with its reason.
READ_ELSEWHERE = {
    "_logging": "it holds the task, to which the loop has a weak reference only",
    "sentinel": "multiprocessing reads it",
}


class Place(NamedTuple):
    """Where a name is defined."""

    file: str
    line: int
    name: str


@cache
def trees() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found[path.relative_to(ROOT).as_posix()] = ast.parse(path.read_text())
    return found


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """Keep no tree for the tests of other files, which would collect garbage among them."""
    yield
    trees.cache_clear()
    used.cache_clear()


def docstrings(tree: ast.Module) -> set[ast.AST]:
    return {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


@cache
def used() -> frozenset[str]:
    """Return all names that the product reads, or that one of its strings is."""
    found: set[str] = set()
    for tree in trees().values():
        docs = docstrings(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Name(ctx=ast.Load()):
                    found.add(node.id)
                case ast.Attribute(ctx=ast.Load()):
                    found.add(node.attr)
                case ast.Constant(value=str() as text) if node not in docs:
                    if name := IMPORTED.fullmatch(text):
                        found.add(name[1])
                    elif text.count(" ") < len(text) / 2:  # as the lists of a method table
                        found |= set(text.split())
    return frozenset(found)


def definitions(tree: ast.Module, file: str) -> Iterator[Place]:
    """Yield the functions and classes, and the constants of the module."""
    for each in tree.body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("__"):
                yield Place(file, each.lineno, name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield Place(file, each.lineno, name)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            registers = any(
                not PLAIN.fullmatch(ast.unparse(each).split("(")[0]) for each in node.decorator_list
            )
            if not registers and not node.name.startswith("__"):
                yield Place(file, node.lineno, node.name)


def written(tree: ast.Module, file: str) -> Iterator[Place]:
    """Yield the attributes of ``self`` that are assigned or counted."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
                yield Place(file, node.lineno, node.attr)


def configured(tree: ast.Module, file: str) -> Iterator[Place]:
    """Yield the fields of the configuration that are not read as they are written in the file."""
    if not file.startswith("runtime/config/") and not file.endswith("/config.py"):
        return
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(body=body) if not node.name.endswith("Params"):
                for each in body:
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        name = each.target.id
                        if re.sub(r"_(\w)", lambda found: found[1].upper(), name) not in used():
                            yield Place(file, each.lineno, name)


def unused(places: Callable[[ast.Module, str], Iterator[Place]]) -> list[Place]:
    """Return the places whose names are used nowhere."""
    return [
        place
        for file, tree in trees().items()
        if not PUBLIC.match(file)
        for place in places(tree, file)
        if place.name not in used()
    ]


@pytest.mark.parametrize(
    ("places", "reasons"),
    [(definitions, CALLED_FROM_ELSEWHERE), (written, READ_ELSEWHERE), (configured, {})],
    ids=["defined", "kept", "configured"],
)
def test_nothing_is_there_that_nothing_uses(
    places: Callable[[ast.Module, str], Iterator[Place]], reasons: dict[str, str]
) -> None:
    found = unused(places)
    assert [place for place in found if place.name not in reasons] == []
    assert {place.name for place in found} == reasons.keys(), "a reason for what is used, or gone"


def begun(node: ast.AST) -> str | None:
    """Return the attribute of ``self`` that a statement sets to 0, false or nothing."""
    match node:
        case (
            ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
                value=ast.Constant(value=value),
            )
            | ast.AnnAssign(
                target=ast.Attribute(value=ast.Name(id="self"), attr=name),
                value=ast.Constant(value=value),
            )
        ) if not value:
            return name
    return None


def test_nothing_is_shown_that_nothing_counts() -> None:
    """What begins as 0, false or nothing is changed somewhere: figures and states alike."""
    first: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                stored[node.attr] += 1
            if name := begun(node):
                first[name] += 1
    assert len(first) > 100, "nothing is found any more"
    assert [name for name in first if first[name] == stored[name]] == []
