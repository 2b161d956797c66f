"""Other people's channels: the example of docs/channels.md, and a broken one, really installed."""

from __future__ import annotations

import asyncio
import importlib
import re
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.frames import control
from ipc.frames.status import PLUGIN_FIELDS
from tests.support import faulty
from tests.support.until import PATIENCE
from tests.support.worker_rig import worker_rig
from workers.registry import manifests
from workers.testing.ports import free_port

DOC = Path(__file__).parents[2] / "docs" / "channels.md"
AGENTS_DOC = DOC.with_name("agents.md")
BLOCK = re.compile(r"^`(?P<name>[\w/.]+)`,[^\n]*:\n\n```\w+\n(?P<text>.*?)^```$", re.M | re.S)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the import path; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("trunkline_"):
            del sys.modules[name]


def install_example(directory: Path) -> None:
    """Install the documented files as pip would: modules and a ``.dist-info``."""
    files = {found["name"]: found["text"] for found in BLOCK.finditer(DOC.read_text())}
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    info = directory / f"trunkline_udp-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["trunkline.channels"].items()
    lines = [f"{name} = {value}" for name, value in points]
    (info / "entry_points.txt").write_text("\n".join(["[trunkline.channels]", *lines]))
    importlib.invalidate_caches()


async def test_the_documented_channel_works_when_installed(packages: Path, run_dir: Path) -> None:
    install_example(packages)
    found = manifests()["udp"]
    assert found.package == "trunkline-udp"
    port = free_port(socket.SOCK_DGRAM)
    async with worker_rig(run_dir) as rig:
        config = {"port": port, "password": "sesame"}
        rig.start(found.ref, key="udp:first", config=config)
        await rig.supervisor.until(lambda: rig.supervisor.status().get("connected"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as someone:
            someone.setblocking(False)
            someone.bind(("127.0.0.1", 0))
            someone.sendto(b"wrong hello", ("127.0.0.1", port))
            someone.sendto(b"sesame hello", ("127.0.0.1", port))
            assert await rig.gateway.heard(1) == ["hello"]
            to = f"127.0.0.1:{someone.getsockname()[1]}"
            await rig.gateway.result("send", {"to": to, "text": "hi there", "key": "k"})
            async with asyncio.timeout(PATIENCE):
                data = await asyncio.get_running_loop().sock_recv(someone, 100)
            assert data == b"hi there"
        refused = await rig.gateway.error("send", {"to": "nobody", "text": "?", "key": "k2"})
        assert refused["message"] == "nobody: not host:port"
        assert await rig.stop() == 0


async def test_a_faulty_channel_installed_beside_it_fails_alone(
    packages: Path, run_dir: Path
) -> None:
    faulty.install(packages)
    importlib.invalidate_caches()
    found = manifests()
    assert {"faulty", "faulty-import", "faulty-extra"} <= set(found)
    async with worker_rig(run_dir) as rig:
        rig.start(found["faulty"].ref, key="faulty:x", config={"fault": "none"})
        await rig.supervisor.until(lambda: rig.supervisor.of(control.WorkerReady))
        rig.gateway.ask("send", {"to": "x", "text": "raise", "key": "k"})
        assert await rig.code() == 1
        assert rig.said == [("failed", "ValueError: the plugin is broken")]


PUBLIC = {
    "workers.agent": {"Agent", "AgentContext", "AgentManifest", "Turn", "Delta", "Final"},
    "workers.plugin": {"Manifest", "Context", "Plugin"},
    "workers.messages": {"Inbound", "Outbound", "Sent", "Action", "Chat", "Sender", "Attachment"},
    "workers.errors": {
        "ChannelError",
        "Transient",
        "NeedsLogin",
        "Misconfigured",
        "Finished",
        "LoggedOut",
        "SendFailed",
    },
    "workers.groups": {"Entry", "GuildConfig", "RoomConfig"},
    "workers.installed": {"InstalledManifest"},
    "workers.login": {"Ask", "Code", "Open", "Qr"},
    "workers.registry": {"manifests", "load"},
    "workers.secrets": {"SecretRef", "resolve", "reveal"},
}
FOR_AGENTS = {"workers.agent", "workers.testing.agent"}

PUBLIC_FOR_TESTS = {
    "workers.testing.agent": {"agent_turn", "running_agent", "AgentUnderTest", "TurnAnswer"},
    "workers.testing.conformance": {"ChannelConformance", "ChannelUnderTest"},
    "workers.testing.fake": {"ChannelUnderTest", "Fake", "FakePlace"},
    "workers.testing.faults": {"Fault", "FaultKind"},
    "workers.testing.http_fake": {"HttpFake"},
}


@pytest.mark.parametrize(("path", "names"), [*PUBLIC.items(), *PUBLIC_FOR_TESTS.items()])
def test_the_public_paths_hold_what_other_packages_import(path: str, names: set[str]) -> None:
    assert set(dir(importlib.import_module(path))) >= names
    page = AGENTS_DOC if path in FOR_AGENTS else DOC
    assert f"`{path}`" in page.read_text()


def test_only_the_public_modules_stand_at_the_top_of_the_package() -> None:
    top = {path.stem for path in (DOC.parents[1] / "workers").glob("*.py")}
    assert top - {"__init__"} == {path.partition(".")[2] for path in PUBLIC}


def test_the_document_names_every_status_field() -> None:
    text = DOC.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `status(**fields)`"))
    named = set(re.findall(r"[a-z]+(?:_[a-z]+)*", row.split(":", 1)[1].split("`")[1]))
    assert named == {re.sub(r"([A-Z])", r"_\1", name).lower() for name in PLUGIN_FIELDS}
