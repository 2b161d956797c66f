"""Agents are put together from their entries, and everything that is wrong with one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config.agents import AgentSpec, wanted_agents
from runtime.config.errors import ConfigError
from runtime.config.load import load_text
from tests.runtime.config.example import known, read, refused
from workers.agents.registry import COMMON_FIELDS

THINK = "kind: 'think', baseUrl: 'http://m'"


def agent(directory: Path, fields: str, more: str = "") -> AgentSpec:
    text = f"{{agents: {{default: 'none', entries: {{main: {{{fields}}}}}}}, {more}}}"
    return read(directory, text).agents["agent:main"]


def test_without_entries_echo_is_there_and_runs_where_it_is_asked(tmp_path: Path) -> None:
    loaded = read(tmp_path, "{channels: {talk: {server: 's'}}}")
    assert list(loaded.agents) == ["agent:echo"]
    assert wanted_agents(loaded.config, ["echo"]) == ["echo"]
    assert list(loaded.workers) == ["talk:default", "agent:echo"]
    assert loaded.accounts["talk:default"].agent == "echo"
    off = read(tmp_path, "{channels: {talk: {server: 's', enabled: false}}}")
    assert list(off.workers) == ["talk:default"]
    silent = read(tmp_path, "{agents: {default: 'none'}, channels: {talk: {server: 's'}}}")
    assert list(silent.workers) == ["talk:default"]
    bound = "bindings: [{agentId: 'echo', match: {channel: 'talk'}}]"
    bound = f"{{agents: {{default: 'none'}}, {bound}, channels: {{talk: {{server: 's'}}}}}}"
    assert list(read(tmp_path, bound).workers) == ["talk:default", "agent:echo"]


def test_what_is_listed_is_there_instead_and_runs(tmp_path: Path) -> None:
    text = f"{{agents: {{default: 'main', entries: {{main: {{{THINK}}}}}}}}}"
    loaded = read(tmp_path, text)
    assert list(loaded.workers) == ["agent:main"]
    spec = loaded.agents["agent:main"]
    assert spec.is_agent
    assert (spec.channel, spec.account_id, spec.manifest.id) == ("agent", "main", "think")
    assert (spec.code, spec.manifest_ref) == ("tests.think:Think", "tests.think:manifest")
    assert (spec.label, spec.place) == ("at http://m", "agents.entries.main")
    assert spec.config == {"baseUrl": "http://m"}
    assert spec.enabled
    assert spec.configured


def test_programs_have_the_memory_limits_of_their_entry_only(tmp_path: Path) -> None:
    limits = "limits: {memoryHardBytes: 33554432}"  # less than the soft one of the supervisor
    run = "kind: 'command', command: ['true']"
    entries = f"a: {{{run}}}, b: {{{run}, {limits}}}, c: {{kind: 'echo'}}"
    text = f"{{agents: {{default: 'a', entries: {{{entries}}}}}}}"
    found = load_text(tmp_path / "trunkline.json5", text)
    memory = {
        key: (spec.limits.memory_soft_bytes, spec.limits.memory_hard_bytes)
        for key, spec in found.agents.items()
    }
    assert memory == {
        "agent:a": (None, None),
        "agent:b": (None, 32 << 20),
        "agent:c": (192 << 20, 256 << 20),
    }
    wrong = f"{{agents: {{default: 'c', entries: {{c: {{kind: 'echo', {limits}}}}}}}}}"
    with pytest.raises(ConfigError, match="must not be less than memorySoftBytes"):
        load_text(tmp_path / "trunkline.json5", wrong)


def test_its_parts_lie_over_those_of_the_supervisor(tmp_path: Path) -> None:
    spec = agent(
        tmp_path,
        f"{THINK}, restart: {{factor: 3}}, limits: {{niceness: 5}}, repeat: 'never',"
        " timeoutSeconds: 9, name: 'Molly', launcher: 'exec', confine: true",
        "supervisor: {restart: {initialSeconds: 2}}",
    )
    assert (spec.restart.initial_seconds, spec.restart.factor) == (2, 3)
    assert spec.limits.niceness == 5
    assert (spec.repeat, spec.timeout_seconds, spec.name) == ("never", 9, "Molly")
    assert (spec.launcher, spec.confine) == ("exec", True)


def test_only_what_its_process_sees_restarts_it(tmp_path: Path) -> None:
    first = agent(tmp_path, THINK)
    same = agent(tmp_path, f"{THINK}, name: 'M', repeat: 'always', limits: {{niceness: 1}}")
    other = agent(tmp_path, f"{THINK}, temperature: 0.5")
    assert first.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("fields", "reason", "unusable"),
    [
        ("kind: 'think'", "baseUrl not set", False),
        ("kind: 'rot', x: 5", "the kind rot of agents cannot be used: rotten: 1 / 0", True),
        (f"{THINK}, enabled: false", "disabled: agents.entries.main.enabled is false", False),
    ],
)
def test_one_that_cannot_run_says_why_and_hurts_no_other(
    tmp_path: Path, fields: str, reason: str, unusable: bool
) -> None:
    text = f"{{agents: {{entries: {{main: {{{fields}}}, echo: {{kind: 'echo'}}}}}}}}"
    found = read(tmp_path, text).agents
    assert (found["agent:main"].reason, found["agent:main"].unusable) == (reason, unusable)
    assert not (found["agent:main"].enabled and found["agent:main"].configured)
    assert found["agent:echo"].configured


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{default: 'x'}", ".default: is 'x': unknown agent; allowed: echo, none"),
        ("{entries: {main: {kind: 'echo'}}}", ".default: is 'echo': unknown agent; allowed: main"),
        ("{default: ''}", ".default: is an empty string; allowed: a string of 1 to 64"),
        ("{maxConcurrent: 0}", ".maxConcurrent: is 0; allowed: an integer from 1 to 10000"),
        (
            "{default: 'none', entries: {main: {}}}",
            ".entries.main.kind: is missing; allowed: echo, think",
        ),
        ("{entries: 5}", ".entries: is 5; allowed: an object"),
        ("{entries: {main: 5}}", ".entries.main: is 5; allowed: an object"),
        (
            "{default: 'a', entries: {a: {kind: 'thnk'}}}",
            ".entries.a.kind: unknown kind of agent (did you mean think?); allowed: echo, rot, th",
        ),
        (
            "{default: 'none', entries: {none: {kind: 'echo'}}}",
            ".entries.none: none is not a valid name for an agent",
        ),
        (
            "{default: 'none', entries: {'a b': {kind: 'echo'}}}",
            ".entries.a b: impossible agent id; allowed: 1 to 64 letters",
        ),
        (
            "{default: 'a', entries: {a: {kind: 'echo', model: 'm'}}}",
            ".entries.a.model: unknown field; allowed: confine, enabled, heartbeat, kind",
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, temperature: 3}}}}}}",
            ".entries.a.temperature: is 3; allowed: a number from 0 to 2",
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, repeat: 'often'}}}}}}",
            '.entries.a.repeat: is \'often\'; allowed: "always" | "never" | "unseen"',
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, apiKey: {{source: 'file', id: 'k'}}}}}}}}",
            ".entries.a.apiKey: id must be an absolute path",
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, motto: 'm', command: ['c']}}}}}}",
            ".entries.a: a command has no motto",
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, limits: {{memorySoftBytes: 5}}}}}}}}",
            ".entries.a.limits.memorySoftBytes: is 5; allowed: an integer of at least",
        ),
        (
            f"{{default: 'a', entries: {{a: {{{THINK}, confine: true}}}}}}",
            '.entries.a.confine: is true; allowed only beside launcher: "exec"',
        ),
    ],
)
def test_a_wrong_section_is_named_with_its_place(tmp_path: Path, section: str, said: str) -> None:
    lines = refused(tmp_path, f"{{agents: {section}}}")
    assert lines[0].startswith(f":1: agents{said}")


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ("{agent: {accounts: {}}}", "channels.agent: is no channel: agents stand in agents.ent"),
        (
            "{talk: {server: 's', agent: 'x', accounts: {a: {}}}}",
            "channels.talk.agent: is 'x': unknown agent; allowed: main, none",
        ),
        (
            "{talk: {server: 's', accounts: {a: {agent: 'mian'}}}}",
            "channels.talk.accounts.a.agent: is 'mian': unknown agent (did you mean main?)",
        ),
    ],
)
def test_an_account_names_an_agent_that_there_is(tmp_path: Path, channels: str, said: str) -> None:
    agents = "{default: 'none', entries: {main: {kind: 'echo'}}}"
    lines = refused(tmp_path, f"{{channels: {channels}, agents: {agents}}}")
    assert lines[0].startswith(f":1: {said}")


def test_a_file_that_is_wrong_elsewhere_has_no_wrong_agents_for_it() -> None:
    text = """{
        logging: 5,
        agents: {default: "main", entries: {main: {kind: "echo"}}},
        channels: {talk: {server: "s", agent: "main", accounts: {a: {}}}},
    }"""
    with pytest.raises(Exception, match="logging: is 5") as caught:
        load_text(Path("trunkline.json5"), text, known())
    assert "agent" not in str(caught.value)


def test_beside_a_foreign_gateway_no_agent_runs(tmp_path: Path) -> None:
    text = "{agents: {entries: {echo: {kind: 'echo'}}}, gateway: {url: 'ws://h:1'}}"
    (line,) = refused(tmp_path, text)
    assert line.startswith(":1: agents.entries.echo: cannot run beside a gateway")


def test_the_names_that_no_kind_may_have_are_those_of_the_configuration() -> None:
    from runtime.config.agents import OF_AGENT

    assert OF_AGENT == COMMON_FIELDS
