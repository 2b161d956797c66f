"""Prints figures of the structure of the product, for one checkout or several side by side.

    python -m tests.structure_figures [CHECKOUT ...]

What ``tests/test_structure.py`` forbids or bounds is counted here, so that a large change can show
what it has brought. Only the source is read: a checkout of any age will do. An import that only a
type checker follows counts like any other; a line of a docstring counts as a line.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bench.measuring.figures import table

PACKAGES = ("ipc", "workers", "runtime", "ops")
LONG_FUNCTION = 40  # lines
MANY_PARAMETERS = 8
# Where others reach for what they need.
CLASSES = ("Supervisor", "Parts", "Gateway", "GatewayParts", "Hub")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Node = TypeVar("Node", bound=ast.AST)


class Tree:
    """The product of one checkout, parsed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.parsed = {
            path.relative_to(root): ast.parse(path.read_text())
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
        }
        self.tests = sorted((root / "tests").rglob("*.py"))

    def lines(self, path: Path) -> int:
        """Return how long a file is."""
        return len((self.root / path).read_text().splitlines())

    def nodes(self, *kinds: type[Node]) -> Iterator[Node]:
        """Yield every node of these kinds."""
        for tree in self.parsed.values():
            yield from (node for node in ast.walk(tree) if isinstance(node, kinds))

    @cached_property
    def graph(self) -> dict[str, set[str]]:
        """Which module imports which, within the product."""
        known = {module_of(path) for path in self.parsed}
        return {
            module_of(path): (set(imports(tree)) & known) - {module_of(path)}
            for path, tree in self.parsed.items()
        }


def module_of(path: Path) -> str:
    """Return the name by which a file is imported."""
    return path.as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every name that may be a module, wherever it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of two modules or more, the largest first."""
    reached = {module: _reachable(graph, module) for module in graph}
    found: list[list[str]] = []
    seen: set[str] = set()
    for module in sorted(graph):
        if module not in seen and module in reached[module]:
            circle = sorted(other for other in reached[module] if module in reached[other])
            seen |= set(circle)
            found.append(circle)
    return sorted(found, key=len, reverse=True)


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    todo = [*graph[start]]
    while todo:
        module = todo.pop()
        if module not in reached:
            reached.add(module)
            todo += graph[module]
    return reached


def attributes(klass: ast.ClassDef) -> set[str]:
    """Return what instances hold: fields of the class, and all that is assigned to ``self``."""
    found = {
        node.target.id
        for node in klass.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for node in ast.walk(klass):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        ):
            found.add(node.attr)
    return found


def parameters(function: Function) -> int:
    """Return how many parameters a function has, ``self`` and ``cls`` aside."""
    args = function.args
    names = [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names += [each.arg for each in (args.vararg, args.kwarg) if each is not None]
    return len([name for name in names if name not in ("self", "cls")])


def for_types_only(tree: Tree) -> list[bool]:
    """Return one entry for each ``if TYPE_CHECKING``: whether it imports modules of ours."""
    return [
        any(name.split(".")[0] in PACKAGES for child in node.body for name in imports(child))
        for node in tree.nodes(ast.If)
        if ast.unparse(node.test).endswith("TYPE_CHECKING")
    ]


def untested(tree: Tree) -> tuple[list[Path], list[Path]]:
    """Return the modules that no test file is named after, at their own place and anywhere."""
    modules = [path for path in tree.parsed if path.name not in ("__init__.py", "__main__.py")]
    names = {path.name for path in tree.tests}
    places = {path.relative_to(tree.root / "tests") for path in tree.tests}
    return (
        [path for path in modules if path.with_name(f"test_{path.name}") not in places],
        [path for path in modules if f"test_{path.name}" not in names],
    )


def figures(tree: Tree) -> dict[str, str]:
    """Return every figure by what it is, written."""
    sizes = {path: tree.lines(path) for path in tree.parsed}
    folders = Counter(path.parent for path in sizes)
    tests = {path.relative_to(tree.root): tree.lines(path) for path in tree.tests}
    functions: list[Function] = [*tree.nodes(ast.FunctionDef), *tree.nodes(ast.AsyncFunctionDef)]
    lengths = [(each.end_lineno or 0) - each.lineno + 1 for each in functions]
    rings, hidden = circles(tree.graph), for_types_only(tree)
    here, anywhere = untested(tree)
    modules = [path for path in sizes if path.name not in ("__init__.py", "__main__.py")]
    return {
        "product files": str(len(sizes)),
        "product lines": str(sum(sizes.values())),
        "largest product file, lines": _largest(sizes),
        "largest folder, files": _largest(folders),
        "test files": str(len(tests)),
        "largest test file, lines": _largest(tests),
        "circles, type imports counted": str(len(rings)),
        "modules in circles": " + ".join(str(len(ring)) for ring in rings) or "0",
        "`if TYPE_CHECKING` blocks": str(len(hidden)),
        "of these with modules of ours": str(sum(hidden)),
        **_classes(tree),
        "modules without a test file at their place": f"{len(here)} of {len(modules)}",
        "modules without a test file of their name": f"{len(anywhere)} of {len(modules)}",
        f"functions over {LONG_FUNCTION} lines": str(sum(n > LONG_FUNCTION for n in lengths)),
        "longest function, lines": str(max(lengths, default=0)),
        f"functions with over {MANY_PARAMETERS} parameters": str(
            sum(parameters(each) > MANY_PARAMETERS for each in functions)
        ),
        "class names that stand twice": str(_twice(tree)),
        "modules that call themselves pure": str(_pure(tree)),
    }


def _largest(sizes: dict[Path, int] | Counter[Path]) -> str:
    if not sizes:
        return "-"
    path = max(sizes, key=lambda each: sizes[each])
    return f"{sizes[path]} ({path})"


def _classes(tree: Tree) -> dict[str, str]:
    found = dict.fromkeys(CLASSES, "-")
    for path, parsed in tree.parsed.items():
        if path.parts[0] != "runtime":
            continue
        for node in parsed.body:
            if isinstance(node, ast.ClassDef) and node.name in CLASSES:
                held = attributes(node)
                public = [name for name in held if not name.startswith("_")]
                found[node.name] = f"{len(held)} / {len(public)}"
    return {f"attributes of {name}, all / public": value for name, value in found.items()}


def _twice(tree: Tree) -> int:
    places: dict[str, int] = defaultdict(int)
    for node in tree.nodes(ast.ClassDef):
        places[node.name] += 1
    return sum(count > 1 for count in places.values())


def _pure(tree: Tree) -> int:
    firsts = [(ast.get_docstring(each) or "").split("\n\n")[0] for each in tree.parsed.values()]
    return sum("Pure" in first for first in firsts)


def main() -> None:
    """Print the figures, one column per checkout."""
    parser = argparse.ArgumentParser(prog="python -m tests.structure_figures")
    own = Path(__file__).parents[1]
    parser.add_argument("checkouts", type=Path, nargs="*", metavar="CHECKOUT", default=[own])
    roots = [root.resolve() for root in parser.parse_args().checkouts]
    columns = [figures(Tree(root)) for root in roots]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    print(table(["", *(root.name for root in roots)], rows))


if __name__ == "__main__":
    main()
