"""What a start must not import: every module costs each start its milliseconds.

And each fork of the zygote: it maps what the zygote has imported, so what only some processes
need is imported there, late.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.gateway.methods import LATE as FAMILIES
from tests.support.commandline import unmeasured
from workers.agents.registry import BUILT_IN as AGENTS
from workers.registry import BUILT_IN as CHANNELS

ROOT = Path(__file__).parents[1]
PAINTED = {"rich", "pygments", "attr"}  # what structlog would bring: see ipc/plainlog.py
LATE = {"aiohttp", "prometheus_client", "psutil", "tomlkit", "anyio", "cryptography", "sqlite3"}
LATE |= {"cronsim", "openai", "zoneinfo", "sysconfig"}
# Of traces: all but what begins and counts them, and that in no process of ours.
TRACES = {"opentelemetry", "opentelemetry.sdk", "google.protobuf", "requests", "urllib3"}
TRACES |= {f"runtime.gateway.telemetry.{name}" for name in ("process", "exporter", "spans", "otlp")}
LATE |= TRACES
# Dataclasses of ours that are made at a start. All else is a ``msgspec.Struct``.
DATACLASSES = {
    "runtime.config.errors.Problem",  # these three: for interpreters without msgspec
    "runtime.config.places.Flags",
    "runtime.config.places.Places",
    "workers.plugin.Manifest",  # these: other people's channels and agents replace their fields
    "workers.agent.AgentManifest",
    "workers.channels.local.LocalManifest",
}

# What looks for channels of other packages, speaks HTTP as a client, and dials names.
SELDOM = {"importlib.metadata", "urllib.request", "http.client", "email.message"}
SELDOM |= {"aiohappyeyeballs", "multiprocessing.managers", "multiprocessing.shared_memory"}

BEFORE_THE_ZYGOTE = "import ops.cli.main, ops.commands.up, runtime.supervisor.main"
THE_DAEMON = (
    f"{BEFORE_THE_ZYGOTE}, runtime.supervisor.startup, ipc.plainlog, runtime.supervisor.daemon"
)
A_CONFIGURATION = """
from runtime.config.load import load_text
from workers.registry import BUILT_IN, manifests
text = '{"channels": {"local": {"accounts": {"a": {}}}}, "agents": {"default": "none"}}'
known = manifests()
from pathlib import Path
assert list(load_text(Path("trunkline.json5"), text, known).accounts) == ["local:a"]
assert set(BUILT_IN) <= set(known)
"""
THE_VERSION = """
import pathlib, sys, tempfile
from ops.connect.identity import own_version
with tempfile.TemporaryDirectory(dir="/tmp") as place:
    info = pathlib.Path(place, "trunkline-7.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Name: trunkline\\nVersion: 7\\n")
    sys.path.insert(0, place)
    assert own_version() == "7"
"""
IN_THE_ZYGOTE = """
import importlib, workers.channels.local.plugin
from runtime.zygote.server import BASE, OURS
for name in [*BASE, *OURS]:
    importlib.import_module(name)
"""
A_WORKER = f"""{IN_THE_ZYGOTE}
import asyncio, os, signal, sys, tempfile
import msgspec, uvloop
from ipc.frames.bootstrap import WorkerBoot
from workers.process.worker import main

before = set(sys.modules)

async def live(place):
    link = f"ipc://{{place}}/none.ipc"
    boot = WorkerBoot("local:a", 1, "0" * 64, link, link, "workers.channels.local:manifest", {{}},
                      place, place, stop_within=0.2)
    work = asyncio.create_task(main(msgspec.msgpack.encode(boot), {{}}, print))
    while not any(name.endswith(".sock") for name in os.listdir(place)):
        assert not work.done()
        await asyncio.sleep(0.001)
    os.kill(os.getpid(), signal.SIGTERM)
    await work

with tempfile.TemporaryDirectory(dir="/tmp") as place:
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(live(place))
sys.modules = {{name: None for name in set(sys.modules) - before}}
"""
A_GATEWAY = f"""{IN_THE_ZYGOTE}
import asyncio, os, signal, socket, sys, tempfile
import msgspec, uvloop
from ipc.frames.bootstrap import GatewayBoot
from runtime.gateway.main import main

before = set(sys.modules)

async def live(place):
    listener = socket.create_server(("127.0.0.1", 0))
    boot = GatewayBoot(1, "0", "s" * 32, b"p" * 32, f"ipc://{{place}}/data.ipc", {{}}, {{}}, [],
                       place, place)
    fds = {{"listen": listener.detach()}}
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    assert await main(msgspec.msgpack.encode(boot), fds, print) == 0

with tempfile.TemporaryDirectory(dir="/tmp") as place:
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(live(place))
sys.modules = {{name: None for name in set(sys.modules) - before}}
"""
THE_HTTP_SERVER = """
import runtime.gateway.http.late
runtime.gateway.http.late._import()
"""
THE_COMMAND_LINE = """
import contextlib, gc, io, sys
from ops.cli import entry
early = []
gc.callbacks.append(
    lambda phase, info: early.append(not hasattr(sys.modules.get("ops.cli.main"), "main"))
)
sys.argv = ["trunkline", "version"]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    entry.main()
sys.modules = dict.fromkeys([f"looked early: {any(early)}", f"looks now: {gc.isenabled()}"])
"""
MADE_AS_DATACLASSES = """
import sys
found = [
    f"{name}.{value.__qualname__}"
    for name, module in list(sys.modules.items())
    if name.partition(".")[0] in ("ipc", "workers", "runtime", "ops")
    for value in list(vars(module).values())
    if isinstance(value, type) and value.__module__ == name
    and "__dataclass_fields__" in vars(value)
]
sys.modules = dict.fromkeys(found)
"""


def imported(code: str) -> set[str]:
    """Return the modules that are there after ``code`` has run in a fresh interpreter.

    Or whatever it puts in the place of ``sys.modules``.
    """
    told = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    environ = unmeasured(os.environ) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", told], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            BEFORE_THE_ZYGOTE,
            PAINTED
            | LATE
            | SELDOM
            | {"asyncio", "uvloop", "zmq", "msgspec", "secrets", "tempfile"},
        ),
        (THE_DAEMON, PAINTED | LATE | SELDOM),
        (
            A_CONFIGURATION,
            LATE
            | SELDOM
            | {f"workers.channels.{name}" for name in set(CHANNELS) - {"local"}}
            | {f"workers.agents.{name}" for name in set(AGENTS) - {"echo"}},
        ),
        (THE_VERSION, SELDOM),
        (
            IN_THE_ZYGOTE,
            PAINTED
            | LATE
            | SELDOM
            | {"typer", "runtime.supervisor.processes.process", "runtime.supervisor.lifecycle"}
            | {"difflib", "runtime.gateway.http.endpoints", "runtime.gateway.journal.database"}
            | {
                "runtime.gateway.journal.stored",
                "runtime.gateway.cron.scheduler",
                "importlib.metadata",
                "email.message",
            }
            | {"runtime.gateway.figures.history", "runtime.gateway.figures.streams"}
            | {f"runtime.gateway.methods.{family}" for family in FAMILIES},
        ),
        (
            THE_HTTP_SERVER,  # its OpenAI API is off, unless the configuration has it
            TRACES
            | {"sqlite3", "openai", "zoneinfo", "cronsim", "runtime.gateway.http.openai.endpoint"}
            | {"prometheus_client", "http.server", "wsgiref"}  # until somebody asks for metrics
            | {"argparse", "gettext", "urllib.request", "http.client"},
        ),
        ("import workers.agents.openai.agent", {"openai", "httpx2", "pydantic", "aiohttp"}),
        # The gateway's part of traces that are exported: a thread, and none of what exports them.
        (
            "import runtime.gateway.telemetry.process",
            {"opentelemetry", "google.protobuf", "requests", "urllib3", "sqlite3"},
        ),
    ],
    ids=[
        "before the zygote",
        "the supervisor",
        "a configuration",
        "the version",
        "the zygote",
        "the HTTP server",
        "an agent of a model that has no turn",
        "the gateway that has traces exported",
    ],
)
def test_a_start_does_not_wait_for_what_it_does_not_need(code: str, absent: set[str]) -> None:
    assert imported(code) & absent == set()


def test_a_worker_imports_nothing_of_its_own() -> None:
    """What is imported after the fork costs every worker time, and memory that nobody shares."""
    assert imported(A_WORKER) <= {"json", "sys"}


def test_an_idle_gateway_imports_nothing_of_its_own() -> None:
    """No database, no HTTP server: an account without a journal needs none, health neither."""
    assert imported(A_GATEWAY) <= {"json", "sys"}


def test_the_command_line_does_not_look_for_garbage_while_it_imports() -> None:
    """There is hardly any: looking takes an eighth of the time until the zygote starts."""
    assert {"looked early: False", "looks now: True"} <= imported(THE_COMMAND_LINE)


@pytest.mark.parametrize("code", [THE_DAEMON, IN_THE_ZYGOTE], ids=["the supervisor", "the zygote"])
def test_what_a_start_imports_defines_structs(code: str) -> None:
    """A dataclass takes half a millisecond and 10 KiB to define, a struct a twentieth of both.

    At one time there were a hundred of them in each of these two processes.
    """
    assert imported(code + MADE_AS_DATACLASSES) - {"json", "sys"} <= DATACLASSES
