"""The rules of the house, enforced by reading the source: imports, circles, sizes, names, tests.

docs/architecture.md has the rules in words. Imports that only a type checker follows count as
well: whoever reads a file has to know what its types are.
"""

from __future__ import annotations

import ast
import gc
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
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
# Inside a package, from the lowest folder to the highest: a folder imports itself and lower ones.
FLOORS = {
    "runtime": ["config", "zygote", "supervisor", "gateway"],
    "runtime/supervisor": ["processes", "logs", "accounts", "gateways", "api"],
    "ops": ["output", "connect", "actions", "commands", "cli"],
}
# What runtime may take from workers: the interface, never a channel or the worker itself.
MANIFEST_SIDE = {
    "workers.agent",
    "workers.plugin",
    "workers.registry",
    "workers.agents.registry",
    "workers.installed",
    "workers.channels.manifest_data",
    "workers.messages",
    "ipc.secret_patterns",
    "workers.secrets",
    "workers.errors",
    "workers.groups",
    "workers.web",  # no channel: which addresses may be posted to is decided in one room
}
IMPURE = {
    "asyncio",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uvloop",
    "websockets",
    "zmq",
}
STARTS_PROCESSES = {
    "ipc/helpers.py",
    "runtime/supervisor/processes/launcher.py",
    "runtime/zygote/forked.py",
    "runtime/zygote/lean_aiomultiprocess.py",
    "runtime/zygote/client.py",
    "runtime/zygote/child.py",
}
# Modules of the house that are loaded by name, each with its reason.
LOADED_BY_NAME = {
    "ipc/lean_import.py": "what libraries hardly ever need, when it is used",
    "workers/installed.py": "manifests, other people's too",
    "workers/process/loading.py": "the plugin of a channel, in its worker only",
    "runtime/gateway/http/late.py": "the HTTP server, after the gateway is up",
    "runtime/gateway/methods/__init__.py": "families of methods, when one of theirs is asked for",
    "runtime/gateway/journal/stored.py": "sqlite3, where an account has a journal",
    "runtime/gateway/journal/nightly.py": "sqlite3, once a copy is due",
    "runtime/gateway/journal/writer.py": "sqlite3, where an account has a journal",
    "runtime/zygote/channel.py": "the plugin of its channel, guarded",
    "runtime/zygote/child.py": "what a child was started for",
    "runtime/zygote/server.py": "what children share, each import guarded",
    "runtime/supervisor/api/config.py": "what rewrites the configuration, when somebody asks",
    "ops/cli/lazy.py": "a command, when it runs",
}
DECODERS = {
    "json.load",
    "json.loads",
    "msgspec.json.Decoder",
    "msgspec.json.decode",
    "msgspec.msgpack.Decoder",
    "msgspec.msgpack.decode",
    "orjson.loads",
    "pyjson5.decode",
    "tomllib.loads",
}
BOUNDED_REQUEST = "what decode_request has let in is no deeper than ipc.nesting allows"
BOUNDED_FRAME = "what decode_from_server has let in is no deeper than ipc.nesting allows"
OUR_OWN = "what the supervisor itself has written"
JSON5 = "pyjson5 goes 32 levels deep by itself: tests/ipc/test_nesting.py"
# Where a decoder is used without ``ipc.nesting``, each with its reason.
DECODES_ITSELF = {
    "ipc/frames/bootstrap.py": OUR_OWN,
    "ipc/frames/control.py": "the types of the frames bound it",
    "ipc/frames/cursors.py": BOUNDED_FRAME,
    "ipc/frames/data.py": "the types of the frames bound it",
    "ipc/frames/websocket.py": "measured first, or right after",
    "ipc/nesting.py": "it is what bounds the others",
    "ipc/websocket/connect.py": BOUNDED_FRAME,
    "ops/actions/config_patch.py": JSON5,
    "ops/cli/quick_link.py": "of our own processes; to import msgspec takes 10 ms",
    "ops/connect/account_api.py": BOUNDED_FRAME,
    "runtime/config/edit/typed.py": JSON5,
    "runtime/config/text/json5_positions.py": "one name",
    "runtime/config/text/parse.py": "it measures the values itself",
    "runtime/config/text/toml_positions.py": "one line of what parse.py has taken",
    "runtime/gateway/access/handshake.py": BOUNDED_REQUEST,
    "runtime/gateway/accounts/account_calls.py": "measured first",
    "runtime/gateway/accounts/agents.py": "measured first",
    "runtime/gateway/clients/earlier.py": BOUNDED_FRAME,
    "runtime/gateway/clients/method_table.py": BOUNDED_REQUEST,
    "runtime/gateway/journal/database.py": OUR_OWN,
    "runtime/gateway/journal/forgetting.py": OUR_OWN,
    "runtime/gateway/journal/reader.py": OUR_OWN,
    "runtime/gateway/journal/records.py": OUR_OWN,
    "runtime/gateway/main.py": "it decodes nothing: the decoders are made so that types are known",
    "runtime/gateway/journal/search.py": OUR_OWN,
    "runtime/gateway/accounts/payload_check.py": "measured first, where it is not short",
    "runtime/gateway/methods/config.py": BOUNDED_REQUEST,
    "runtime/gateway/runs/turn_table.py": "measured first",
    "runtime/gateway/supervisor_link.py": BOUNDED_REQUEST,
    "runtime/gateway/telemetry/journal_source.py": OUR_OWN,
    "runtime/supervisor/api/config.py": JSON5,
    "runtime/supervisor/logs/structured.py": OUR_OWN,
    "runtime/zygote/channel.py": OUR_OWN,
    "runtime/zygote/child.py": OUR_OWN,
    "runtime/zygote/server.py": OUR_OWN,
    "workers/channels/discord/objects.py": "it decodes nothing: see workers/plugin.py",
    "workers/channels/slack/client.py": "measured first",
    "workers/channels/slack/objects.py": "it decodes nothing: see workers/plugin.py",
    "workers/channels/telegram/client.py": "measured first",
    "workers/channels/telegram/objects.py": "it decodes nothing: see workers/plugin.py",
    "workers/plugin.py": "it decodes nothing: the decoder is made so that its type is known",
    "workers/process/calls.py": "measured first",
    "workers/process/turn_outcomes.py": "what it has encoded itself, and the types bound it",
    "workers/process/turns.py": "measured first",
}
# Files of the repository that a text may name, as they are meant for who has that.
NAMES_FILES = {"ops/cli/manual.py": {"operations.md"}}  # a page beside the one that it writes
IN_THE_WHEEL = {"CHANGELOG.md"}  # with the packages; see pyproject.toml
ABSENT_FILE = re.compile(
    r"(?<![\w/.:@-])(?:(?:docs|tests|bench)/[\w./-]*\w|[\w-]+\.md\b|python -m (?:tests|bench)[\w.]*"
    r"|(?:Containerfile|compose\.yaml|constraints\.txt|mkdocs\.yml|pyproject\.toml)\b)"
)
# Names that begin like private ones, and are documented.
PUBLIC_ALL_THE_SAME = {"_asdict", "_exit", "_fields", "_getframe", "_replace"}
NEAR = 3  # lines above, in which the reason for a private attribute may stand
MAX_PRODUCT_LINES = 400
MAX_TEST_LINES = 600
# The part of the product that pytest loads: of the kit for people who write channels.
FOR_PYTEST = {
    "workers/testing/conformance.py": {"pytest"},
    "workers/testing/pytest_plugin.py": {"pytest"},
}
# Modules that need no test file of their own name, each with its reason.
UNTESTED: dict[str, str] = {
    "runtime/gateway/runs/links.py": "protocols and values only: what uses them is tested",
    "workers/media/interface.py": "protocols only: what a plugin is given is tested",
    "runtime/supervisor/gateways/interface.py": "protocols and values only: their kinds are tested",
}


@cache
def tree_of(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text())
    gc.freeze()  # or the collector walks all trees after each test
    return tree


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Keep no tree for the tests of other files, which would collect garbage among them."""
    yield
    tree_of.cache_clear()
    gc.unfreeze()


@cache
def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def product() -> Iterator[Path]:
    for package in PACKAGES:
        yield from files(package)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def checked_for_types_only(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes under ``if TYPE_CHECKING``."""
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            hidden |= {inner for child in node.body for inner in ast.walk(child)}
    return hidden


def imports(path: Path, *, types: bool = True) -> Iterator[str]:
    """Yield every module that a file imports, wherever it does; ``types``: for types only too."""
    tree = tree_of(path)
    hidden = set() if types else checked_for_types_only(tree)
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def loads_by_name(path: Path) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in {"import_module", "__import__"})
        or (isinstance(node, ast.Name) and node.id in {"import_module", "__import__"})
        for node in ast.walk(tree_of(path))
    )


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


def test_the_processes_share_only_ipc_and_configuration() -> None:
    """The supervisor starts zygotes, so it may import their client; the gateway knows neither."""
    may = {
        "config": {"config"},
        "zygote": {"zygote"},
        "supervisor": {"supervisor", "config", "zygote"},
        "gateway": {"gateway", "config"},
    }
    for path in files("runtime"):
        parts = path.relative_to(ROOT / "runtime").parts
        if len(parts) < 2:
            continue
        for module in imports(path):
            if module.startswith("runtime."):
                folder = module.split(".")[1]
                assert folder in may[parts[0]], f"{name_of(path)} imports {module}"


@pytest.mark.parametrize(
    ("library", "prefix"), [("zmq", "ipc/zeromq/"), ("websockets", "ipc/websocket/")]
)
def test_a_link_library_is_imported_in_its_own_place(library: str, prefix: str) -> None:
    for path in product():
        if any(module.split(".")[0] == library for module in imports(path)):
            assert name_of(path).startswith(prefix), f"{name_of(path)} imports {library}"


def test_one_place_starts_processes() -> None:
    for path in [*files("runtime"), *files("ipc")]:
        starts = {"subprocess", "multiprocessing", "aiomultiprocess"}
        if {module.split(".")[0] for module in imports(path)} & starts:
            assert name_of(path) in STARTS_PROCESSES, f"{name_of(path)} can start processes"


def test_one_room_limits_the_time_of_a_block() -> None:
    """``asyncio.timeout`` of Debian's Python misses its end: see ``ipc/timeouts.py``."""
    limits = {"asyncio.timeout", "asyncio.timeout_at", "asyncio.wait_for"}
    for path in product():
        if name_of(path) == "ipc/timeouts.py":
            continue
        used = {
            ast.unparse(node) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)
        }
        assert not used & limits, f"{name_of(path)}: use ipc.timeouts"


def test_one_room_names_the_users_of_the_host() -> None:
    """Some have no entry in the passwd file: ``ipc/users.py`` has the number then."""
    for path in product():
        if name_of(path) != "ipc/users.py":
            source = {
                ast.unparse(node)
                for node in ast.walk(tree_of(path))
                if isinstance(node, ast.Attribute) and node.attr == "pw_name"
            }
            assert not source, f"{name_of(path)}: use ipc.users instead of {source}"


def test_what_comes_in_is_bounded_in_depth() -> None:
    found = {
        name_of(path)
        for path in product()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in DECODERS
    }
    assert found == DECODES_ITSELF.keys(), "decode with ipc.nesting, or say here why not"


def test_tests_make_directories_in_one_place() -> None:
    """``TMPDIR`` may be long, and a socket's path has room for 107 bytes only."""
    for path in [*files("tests"), *files("bench")]:
        if name_of(path) != "tests/support/short_directory.py":
            assert "tempfile" not in imports(path), f"{name_of(path)}: tmp_path or ShortDirectory"


def test_what_calls_itself_pure_touches_nothing_outside() -> None:
    """A module is pure when the first paragraph of its docstring says "Pure."."""
    found = []
    for path in product():
        first = (ast.get_docstring(tree_of(path)) or "").split("\n\n")[0]
        if re.search(r"\bPure\b", first):
            found.append(path)
            impure = {module.split(".")[0] for module in imports(path)} & IMPURE
            assert not impure, f"{name_of(path)} is not pure: it imports {sorted(impure)}"
    assert len(found) >= 31


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_imports_in_a_circle(package: str) -> None:
    graph = {module_of(path): set(imports(path)) for path in files(package)}
    for module in graph:
        graph[module] &= set(graph) - {module}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize("package", FLOORS)
def test_a_folder_imports_no_folder_above_it(package: str) -> None:
    order = FLOORS[package]
    for path in files(package):
        parts = path.relative_to(ROOT / package).parts
        if parts[0] not in order:
            continue
        inside = package.replace("/", ".") + "."
        for module in imports(path):
            folder = module.removeprefix(inside).split(".")[0]
            if module.startswith(inside) and folder in order:
                assert order.index(folder) <= order.index(parts[0]), (
                    f"{name_of(path)} imports {module}"
                )


def test_the_configuration_s_folders_stand_in_the_order_of_dependence() -> None:
    """The errors, the text (pure), the modules of the folder itself, and what writes the file."""

    def floor(module: str) -> int:
        name = module.removeprefix("runtime.config").removeprefix(".").split(".")[0]
        return {"errors": 0, "text": 1, "edit": 3}.get(name, 2)

    for path in files("runtime/config"):
        for module in imports(path):
            if module.startswith("runtime.config."):
                assert floor(module) <= floor(module_of(path)), f"{name_of(path)} imports {module}"


def test_only_plugins_and_late_parts_are_loaded_by_name() -> None:
    loading = {name_of(path) for path in product() if loads_by_name(path)}
    assert loading == set(LOADED_BY_NAME)


def test_imports_for_types_only_are_of_other_people_s_libraries() -> None:
    """An import that is hidden from the running program hides an arrow of the house."""
    for path in product():
        hidden = set(imports(path)) - set(imports(path, types=False))
        ours = {module for module in hidden if module.split(".")[0] in PACKAGES}
        assert not ours, f"{name_of(path)} hides {sorted(ours)}"


def test_no_file_is_too_long_to_be_read() -> None:
    for path in product():
        assert len(path.read_text().splitlines()) <= MAX_PRODUCT_LINES, name_of(path)
    for path in files("tests"):
        assert len(path.read_text().splitlines()) <= MAX_TEST_LINES, name_of(path)


def test_a_comment_stands_before_what_it_explains() -> None:
    """A formatter leaves the comment of a line that it breaks behind the closing bracket."""
    behind = re.compile(r"^ *[])}].*  # (?!noqa|fmt: |type: )")
    for package in (*PACKAGES, "tests", "bench"):
        for path in files(package):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                assert not behind.match(line), f"{name_of(path)}:{number}"


def test_no_class_name_stands_twice_in_the_product() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in product():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(path))
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert not twice


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = []
    for path in product():
        if path.name in ("__init__.py", "__main__.py") or name_of(path) in UNTESTED:
            continue
        where = path.relative_to(ROOT).parent
        if not (ROOT / "tests" / where / f"test_{path.name}").exists():
            missing.append(name_of(path))
    assert not missing
    assert all((ROOT / name).exists() for name in UNTESTED)


def unexplained(source: str) -> list[str]:
    """Return the lines that use a private attribute of another object without a comment near."""
    lines = source.splitlines()
    return [
        lines[node.lineno - 1].strip()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and node.attr not in PUBLIC_ALL_THE_SAME
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and "#" not in "".join(lines[max(0, node.lineno - 1 - NEAR) : node.lineno])
    ]


def test_tests_say_why_they_use_a_private_attribute() -> None:
    found = {name_of(path): unexplained(path.read_text()) for path in files("tests")}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("assert rig._left == {}", 1),
        ("assert rig._left == {}  # a leak shows nowhere else", 0),
        ("# A leak shows nowhere else.\nassert rig._left == {}", 0),
        ("# far away\n\n\n\n\nassert rig._left == {}", 1),
        ("self._left = cls._made", 0),
        ("row._replace(a=1).__class__", 0),
    ],
)
def test_which_private_attributes_need_a_reason(source: str, count: int) -> None:
    assert len(unexplained(source)) == count


def docstring_of(node: ast.AST) -> ast.expr | None:
    body = getattr(node, "body", None)
    first = body[0] if isinstance(body, list) and body else None
    return first.value if isinstance(first, ast.Expr) else None


def printed(path: Path) -> Iterator[str]:
    """Yield what a module may print: its texts, and of commands the docstrings, their help."""
    commands = name_of(path).startswith(("ops/commands/", "ops/cli/"))
    docstrings = {
        docstring_of(node)
        for node in ast.walk(tree_of(path))
        if not (commands and isinstance(node, ast.FunctionDef))
    }
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Constant) or node in docstrings:
            continue
        if isinstance(node.value, str):
            yield node.value


def absent_files(text: str) -> set[str]:
    """Return the files of the repository that a text names, and that are in no wheel."""
    return {found for found in ABSENT_FILE.findall(text) if found not in IN_THE_WHEEL}


def test_nothing_that_is_printed_names_a_file_that_the_wheel_lacks() -> None:
    """Of an installed package a person has the commands and their help, but no docs/."""
    found = {
        name_of(path): names
        for path in product()
        if (names := {name for text in printed(path) for name in absent_files(text)})
    }
    assert found == NAMES_FILES
    for path in [
        *(ROOT / "runtime/gateway/page").glob("*.js"),
        *(ROOT / "ops").glob("dashboards/*"),
    ]:
        assert not absent_files(path.read_text()), name_of(path)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("docs/people.md has more", {"docs/people.md"}),
        ("see operations.md.", {"operations.md"}),
        ("run python -m tests.fields_reference", {"python -m tests.fields_reference"}),
        ("as tests/e2e/test_irc.py", {"tests/e2e/test_irc.py"}),
        ("like compose.yaml or README.md", {"compose.yaml", "README.md"}),
        ("https://nodejs.org/en/docs/inspector, share/doc/trunkline/CHANGELOG.md", set()),
        ("python -m ops.cli.manual, the docs, its tests", set()),
    ],
)
def test_which_files_are_in_no_wheel(text: str, names: set[str]) -> None:
    assert absent_files(text) == names


def test_only_the_product_is_in_the_wheel() -> None:
    for path in product():
        tops = {module.split(".")[0] for module in imports(path)}
        absent = {"tests", "bench"} | ({"pytest"} - FOR_PYTEST.get(name_of(path), set()))
        assert not tops & absent, name_of(path)
