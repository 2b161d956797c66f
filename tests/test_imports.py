"""The import rules of docs/architecture.md, enforced by reading the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ipc", "workers", "runtime", "ops")
MAY_IMPORT = {
    "ipc": {"ipc"},
    "workers": {"workers", "ipc"},
    "runtime": {"runtime", "workers", "ipc"},
    "ops": {"ops", "runtime", "workers", "ipc"},
    "bench": {"bench", "ops", "runtime", "workers", "ipc", "tests"},
}
# What runtime may take from workers: the interface, never a channel or the worker itself.
MANIFEST_SIDE = {
    "workers.plugin",
    "workers.registry",
    "workers.messages",
    "workers.secrets",
    "workers.errors",
}
IMPURE = {
    "asyncio",
    "os",
    "random",
    "socket",
    "subprocess",
    "threading",
    "time",
    "zmq",
    "websockets",
}
PURE = (
    "ipc/frames/jsonrpc.py",
    "ipc/frames/cursors.py",
    "ipc/metrics.py",
    "runtime/config/lookup.py",
    "runtime/supervisor/debounce.py",
    "runtime/supervisor/gateways/diagnosis.py",
    "runtime/supervisor/gateways/reload_rules.py",
    "runtime/supervisor/gateways/restarts.py",
    "runtime/supervisor/gateways/stderr.py",
    "ipc/frames/websocket.py",
    "ipc/frames/data.py",
    "ipc/frames/control.py",
    "ipc/heartbeat.py",
    "ipc/frames/status.py",
    "runtime/supervisor/lifecycle.py",
    "workers/links/backlog.py",
    "workers/messages.py",
)


def imports(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever in the file, type checking aside."""
    tree = ast.parse(path.read_text())
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            hidden |= {inner for child in node.body for inner in ast.walk(child)}
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    ours = {*PACKAGES, "tests", "bench"}
    for path in files(package):
        tops = {module.split(".")[0] for module in imports(path)} & ours
        assert tops <= MAY_IMPORT[package], f"{name_of(path)} imports {tops - MAY_IMPORT[package]}"


def test_runtime_knows_channels_by_their_manifests_only() -> None:
    for path in files("runtime"):
        for module in imports(path):
            if module.startswith("workers."):
                assert any(
                    module == known or module.startswith(f"{known}.") for known in MANIFEST_SIDE
                ), f"{name_of(path)} imports {module}"


def test_gateway_and_supervisor_share_only_ipc_and_configuration() -> None:
    for path in files("runtime"):
        inside = "gateway" in path.relative_to(ROOT / "runtime").parts[:-1]
        config = "config" in path.relative_to(ROOT / "runtime").parts[:-1]
        for module in imports(path):
            if not module.startswith("runtime."):
                continue
            to_gateway = f"{module}.".startswith("runtime.gateway.")
            to_config = f"{module}.".startswith("runtime.config.")
            if inside:
                assert to_gateway or to_config, f"{name_of(path)} imports {module}"
            elif config:
                assert to_config, f"{name_of(path)} imports {module}"
            else:
                assert not to_gateway, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize(
    ("library", "prefix"), [("zmq", "ipc/zeromq/"), ("websockets", "ipc/websocket/")]
)
def test_a_link_library_is_imported_in_its_own_place(library: str, prefix: str) -> None:
    for package in PACKAGES:
        for path in files(package):
            if any(module.split(".")[0] == library for module in imports(path)):
                assert name_of(path).startswith(prefix), f"{name_of(path)} imports {library}"


def test_one_place_starts_processes() -> None:
    allowed = {
        "runtime/supervisor/processes/process.py",
        "runtime/zygote/forked.py",
        "runtime/zygote/client.py",
        "runtime/zygote/server.py",
    }
    for path in [*files("runtime"), *files("ipc")]:
        starts = {"subprocess", "multiprocessing", "aiomultiprocess"}
        if {module.split(".")[0] for module in imports(path)} & starts:
            assert name_of(path) in allowed, f"{name_of(path)} can start processes"


@pytest.mark.parametrize("path", PURE)
def test_pure_modules_touch_nothing_outside(path: str) -> None:
    impure = {module.split(".")[0] for module in imports(ROOT / path)} & IMPURE
    assert not impure, f"{path} imports {impure}"


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_imports_in_a_circle(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for path in files(package):
        module = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        graph[module] = set(imports(path))
    for module in graph:
        graph[module] &= set(graph) - {module}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path, module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_only_the_product_is_in_the_wheel() -> None:
    for package in PACKAGES:
        for path in files(package):
            tops = {module.split(".")[0] for module in imports(path)}
            assert not tops & {"tests", "bench", "pytest"}, name_of(path)
