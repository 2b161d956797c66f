"""Kinds of agents are found, other people's too, and a broken one hurts no other."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.workers.test_registry import Packages
from workers import agents
from workers.agents.echo import manifest
from workers.agents.registry import BUILT_IN, agent_kinds, flaw_of_kind

GOOD = """
import msgspec
from workers.agent import AgentManifest

class Config(msgspec.Struct):
    key: str

manifest = AgentManifest("think", "Thinking", Config, "their_agent.agent:Think")
"""


class Named(msgspec.Struct):
    name: str


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return Packages(tmp_path, "trunkline.agents")


def test_the_built_in_kinds_are_found_without_their_agents() -> None:
    found = agent_kinds()
    assert set(BUILT_IN) <= set(found)
    assert found.warnings == []
    code = (
        "import sys; from workers.registry import manifests; manifests();"
        " sys.exit('workers.agents.echo.agent' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_folder_of_a_kind_is_in_the_list_and_nothing_else() -> None:
    folders = Path(agents.__file__).parent.glob("*/__init__.py")
    assert {path.parent.name for path in folders} == set(BUILT_IN)


def test_a_kind_of_another_package_is_found_and_a_broken_one_is_a_warning(
    packages: Packages,
) -> None:
    packages.install("their-agent", "think", GOOD)
    packages.install("bad-agent", "bad", "1 / 0")
    packages.install("an-echo", "echo", GOOD)
    found = agent_kinds()
    assert found["think"].package == "their-agent"
    assert "ZeroDivisionError" in found.broken["bad"]
    assert found["echo"].package == "trunkline"
    assert "kind of agent echo of an-echo is ignored: echo is built in" in found.warnings


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (5, "is int, not a workers.agent.AgentManifest"),
        (replace(manifest, id="other"), "calls itself 'other'"),
        (replace(manifest, agent="x"), "has the agent 'x'"),
        (replace(manifest, label=5), "has a label that is not a string"),  # type: ignore[arg-type]
        (replace(manifest, status={"x": 1j}), "has a status or an example that is not JSON"),
        (replace(manifest, config=Named), "that every agent has already: name"),
        (replace(manifest, secrets=frozenset({"key"})), "lists secrets that are no config fields"),
        (manifest, None),
    ],
)
def test_what_makes_a_kind_unusable(manifest: Any, said: str | None) -> None:
    flaw = flaw_of_kind("echo", manifest)
    assert flaw is None if said is None else said in str(flaw)


@pytest.mark.parametrize(
    ("kind", "config", "lacks"),
    [
        ("echo", {}, ["instructions", "model", "thinking", "tools"]),
        ("openai", {}, []),
        ("command", {}, ["model", "thinking", "tools"]),
        ("command", {"input": "text"}, ["model", "thinking", "tools"]),
        ("command", {"input": "json"}, []),
        ("http", {}, []),
        ("openclaw", {}, ["tools"]),
        ("client", {}, []),
    ],
)
def test_what_a_turn_may_ask_for_and_a_kind_takes_no_notice_of(
    kind: str, config: dict[str, Any], lacks: list[str]
) -> None:
    assert sorted(agent_kinds()[kind].manifest.lacking(config)) == lacks
