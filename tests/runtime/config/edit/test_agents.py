"""Agents are added and removed without spoiling a person's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.edit.agents import add_agent, remove_agent
from runtime.config.errors import ConfigError
from tests.runtime.config.example import known, write

JSON5 = """\
// mine
{
  // who answers
  agents: { default: "echo" }, // for now
  channels: { talk: { server: "s", accounts: { a: {} } } },
}
"""
TOML = """\
# mine
[agents]
default = "echo" # for now

[channels.talk]
server = "s"
"""
FIELDS = {"kind": "think", "baseUrl": "http://m", "temperature": "0.5", "timeoutSeconds": "30"}
FILES = [("trunkline.json5", JSON5), ("trunkline.toml", TOML)]


@pytest.mark.parametrize(("name", "text"), FILES)
def test_an_agent_is_added_and_the_one_that_was_there_stays(
    tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path, text, name)
    loaded = add_agent(path, "main", FIELDS, manifests=known())
    assert list(loaded.agents) == ["agent:echo", "agent:main"]
    spec = loaded.agents["agent:main"]
    assert spec.config == {"baseUrl": "http://m", "temperature": 0.5}
    assert spec.timeout_seconds == 30
    assert loaded.config.agents.default == "echo"
    after = path.read_text()
    assert "mine" in after
    assert "for now" in after


@pytest.mark.parametrize(("name", "text"), FILES)
def test_an_added_agent_can_become_the_default_at_once(
    tmp_path: Path, name: str, text: str
) -> None:
    path = write(tmp_path, text, name)
    secret = {"apiKey": "{source: 'env', id: 'KEY'}"}
    loaded = add_agent(path, "main", FIELDS | secret, default=True, manifests=known())
    assert loaded.config.agents.default == "main"
    assert loaded.agents["agent:main"].config["apiKey"] == {"source": "env", "id": "KEY"}
    assert all(spec.agent == "main" for spec in loaded.accounts.values())
    remove_agent(path, "echo", known())
    with pytest.raises(ConfigError, match=r"agents.default: is 'main': unknown agent"):
        remove_agent(path, "main", known())


@pytest.mark.parametrize(
    ("id", "fields", "said"),
    [
        ("a b", {"kind": "echo"}, "'a b' is not a valid name for an agent; allowed: 1 to 64"),
        ("main", {}, "agents.entries.main.kind: is missing; allowed: think, echo"),
        ("main", {"kind": "ehco"}, "unknown kind of agent (did you mean echo?)"),
        ("main", {"kind": "rot"}, "agents.entries.main.kind: rotten: 1 / 0"),
        ("main", {"kind": "echo", "model": "m"}, "agents.entries.main.model: unknown field"),
        ("none", {"kind": "echo"}, "agents.entries.none: none is not a valid name for an agent"),
        ("echo", {"kind": "echo"}, "agents.entries.echo: exists already"),
    ],
)
def test_a_refusal_names_the_cure_and_leaves_the_file(
    tmp_path: Path, id: str, fields: dict[str, str], said: str
) -> None:
    path = write(tmp_path, JSON5.replace('"echo"', '"echo", entries: {echo: {kind: "echo"}}'))
    before = path.read_text()
    with pytest.raises(ConfigError) as caught:
        add_agent(path, id, fields, manifests=known())
    assert said in str(caught.value)
    assert path.read_text() == before


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    path = write(tmp_path, JSON5)
    with pytest.raises(ConfigError, match="there is no such agent; there are: none"):
        remove_agent(path, "echo", known())


def test_an_agent_that_an_account_names_stays(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        JSON5.replace("a: {}", 'a: { agent: "main" }').replace(
            '"echo"', '"none", entries: {main: {kind: "echo"}}'
        ),
    )
    with pytest.raises(ConfigError, match=r"channels.talk.accounts.a.agent: is 'main'"):
        remove_agent(path, "main", known())
